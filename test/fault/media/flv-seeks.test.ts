import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Edge } from '../../support/edge.js';
import { type Fault, FaultOrigin, faults } from '../../support/fault-origin.js';
import { audio, makeFlv, parseFlv, type TestTag, video } from '../../support/flv.js';
import { isAlive, kill } from '../../support/processes.js';
import { until } from '../../support/until.js';

/*
 * Many seeks into cold FLV files at once, at an origin that fails while they are being planned and sent: each answer
 * ends, what came whole is sound, and when the fault has passed every seek is answered.
 */

const SECONDS = 30;
/** Seeks into a film at once. */
const SEEKS = 5;

function film(fill: number): TestTag[] {
  const tags: TestTag[] = [
    { type: 9, timestamp: 0, data: video('config', 40, fill) },
    { type: 8, timestamp: 0, data: audio('config', 2, fill) },
  ];
  for (let second = 0; second < SECONDS; second++) {
    tags.push({ type: 9, timestamp: second * 1000, data: video('key', 12_000, fill), key: true });
    for (let part = 1; part < 10; part++) {
      tags.push({ type: 8, timestamp: second * 1000 + part * 100 - 50, data: audio('frame', 200, fill) });
      tags.push({ type: 9, timestamp: second * 1000 + part * 100, data: video('inter', 800, fill) });
    }
  }
  return tags;
}

/** With a table of key frames that must be corrected, and with none, so that the file is walked through. */
const KINDS = { rounded: 'rounded', bare: false } as const;

const FAULTS: Readonly<Record<string, Fault | 'refused' | 'changed' | 'killed'>> = {
  'a cut in each body': faults.cut(100_000),
  'a reset in each body': faults.reset(50_000),
  'silence within each body': faults.stall(100_000),
  'a slow origin': faults.drip(20_000, 20),
  'no ranges': faults.ignoreRange(),
  'bodies without a length': faults.chunked(),
  'bodies that are too short': faults.short(5000),
  'an origin that is out of order': faults.status(503),
  'an origin that refuses connections': 'refused',
  'a film that changes': 'changed',
  'a worker that is killed': 'killed',
};

describe('seeks into cold FLV while the origin fails', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  let version = 0;

  before(async () => {
    origin = await FaultOrigin.start();
    edge = await Edge.start({
      workers: 2,
      memory: '64MiB',
      origin: `[{name: main, url: "${origin.url}", timeouts: {connect: 500ms, firstByte: 500ms, stall: 500ms}}]`,
      settings: 'freshness: {errorTtl: 0s}',
    });
  });
  after(async () => {
    await edge.end();
    await origin.close();
  });

  function put(path: string, kind: (typeof KINDS)[keyof typeof KINDS]): void {
    version++;
    origin.put(path, { bytes: makeFlv(film(version % 256), kind).bytes, version: `v${version}`, type: 'video/x-flv' });
  }

  /** The answer to a seek, or why there is none. */
  async function seek(path: string, second: number): Promise<Buffer | string> {
    try {
      const response = await fetch(`${edge.url}${path}?start=${second}`);
      const body = Buffer.from(await response.arrayBuffer());
      return response.status === 200 ? body : `status ${response.status}`;
    } catch {
      return 'cut';
    }
  }

  async function seeks(path: string): Promise<(Buffer | string)[]> {
    let ended = 0;
    const all = Array.from({ length: SEEKS }, async (_, i) => {
      const found = await seek(path, (i * 7) % SECONDS);
      ended++;
      return found;
    });
    await until('every answer has ended', () => ended === SEEKS);
    return Promise.all(all);
  }

  for (const [name, fault] of Object.entries(FAULTS)) {
    it(name, async () => {
      for (const [kind, table] of Object.entries(KINDS)) {
        const path = `/${name.replaceAll(' ', '-')}-${kind}.flv`;
        put(path, table);
        if (typeof fault === 'function') origin.fault(fault, { path });
        const answers = seeks(path);
        if (typeof fault !== 'function') {
          await origin.requested(1);
          if (fault === 'refused') await origin.refuse();
          if (fault === 'changed') put(path, table);
          if (fault === 'killed') kill(edge.workers[0]!);
        }
        for (const answer of await answers) if (typeof answer !== 'string') parseFlv(answer);
        origin.heal();
        await origin.accept();
        if (fault === 'killed') await until('two workers', () => edge.workers.filter(isAlive).length === 2);
        let found: (Buffer | string)[] = [];
        await until('every seek is answered', async () => {
          found = await seeks(path);
          return found.every(answer => typeof answer !== 'string');
        });
        for (const [i, answer] of found.entries()) {
          const key = parseFlv(answer as Buffer).find(tag => tag.type === 9 && tag.data.length > 10_000);
          assert.ok(key !== undefined, `${kind}, seek ${i}`);
        }
        origin.forget();
      }
    });
  }
});
