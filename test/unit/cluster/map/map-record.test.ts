import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MapFile } from '../../../../src/cluster/control/map-file.js';
import { decodeMap, encodeMap, type MapRecord } from '../../../../src/cluster/map/map-record.js';
import { planMap } from '../../../../src/cluster/map/plan.js';
import { planNodes } from '../../../support/map-figures.js';

/** A record of two zones, the second of which has lost a node that was an owner before. */
function recordOf(count: number, partitions = 64, replicas = 2): MapRecord {
  const nodes = planNodes(count, i => 1 + (i % 3));
  const before = planMap({ nodes, partitions, replicas });
  const left = nodes.slice(0, Math.max(1, count - 1));
  const lists = planMap({ nodes: left, partitions, replicas }, before);
  const previous = lists.map(([owner], i) => (before[i]![0] === owner ? undefined : before[i]![0]));
  return {
    partitions,
    replicas,
    zones: [
      {
        zone: 'a',
        nodes: nodes.map(node => ({ ...node, joined: 0 })),
        lists: before,
        previous: before.map(() => undefined),
      },
      { zone: 'b', nodes: left.map((node, i) => ({ ...node, joined: 1_700_000_000_000 + i })), lists, previous },
    ],
  };
}

describe('the text of a map', () => {
  it('brings back what it was made from', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 4 }),
        (count, partitions, replicas) => {
          const record = recordOf(count, partitions, replicas);
          assert.deepEqual(decodeMap(encodeMap(record)), record);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is a few KB for ten nodes', () => {
    const { length } = encodeMap(recordOf(10, 1024));
    assert.ok(length / 2 < 8192, `${length} characters for two zones`);
  });

  it('is refused when anything of it is damaged, cut or made up', () => {
    const text = encodeMap(recordOf(5));
    for (const damaged of ['', '{}', 'null', text.slice(0, -1), `${text} `, text.slice(1), text.replace('/1', '/2')]) {
      assert.throws(() => decodeMap(damaged), Error);
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const character = String.fromCharCode(code);
        if (text[at] === character) return;
        assert.throws(() => decodeMap(text.slice(0, at) + character + text.slice(at + 1)), Error);
      }),
    );
  });
});

describe('the copy on disk', () => {
  const kept = {
    store: '123',
    epoch: 7,
    text: encodeMap(recordOf(3)),
    members: [
      { id: 'n00', zone: 'a', weight: 1, host: '10.0.0.1', port: 8090, url: undefined, instance: 'x', version: '1' },
    ],
  };

  it('comes back, replaced as a whole, for this user only', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-map-'));
    try {
      const file = new MapFile(join(folder, 'below', 'cluster.map'));
      assert.equal(file.read(), undefined);
      file.write(kept);
      file.write({ ...kept, epoch: 8 });
      assert.deepEqual(file.read(), { ...kept, epoch: 8 });
      const text = readFileSync(file.path, 'utf8');
      for (const damaged of ['', text.slice(0, -3), text.replace('"epoch":8', '"epoch":9')]) {
        writeFileSync(file.path, damaged);
        assert.throws(() => file.read(), Error);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
