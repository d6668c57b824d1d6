import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Explanation } from '../../../src/admin/explanation.js';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { inspectTiers } from '../../../src/commands/inspect-tiers.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';

const CLIP = fileURLToPath(new URL('../../../src/samples/bframes-moov-last.mp4', import.meta.url));
const SIZE = 3 * BLOCK_SIZE;
/**
 * First bytes of a value of the disk tier, and where the block's bytes begin in it; see src/cache/disk/disk-record.ts.
 */
const VALUE_MAGIC = 'MVB1';
const VALUE_DATA = 48;
/** Together more than the memory tier, so that some must leave it. */
const FILMS = 110;
const HEADERS = { 'Cache-Control': 'max-age=3600' };
const SETTINGS = `cache:
  memory: {size: 64MiB, file: $FOLDER/cache}
  disk: {path: $FOLDER/disk, size: 512MiB, minHits: 1}`;

describe('a disk tier behind a small memory tier', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  before(async () => {
    origin = await FaultOrigin.start();
    for (let film = 0; film < FILMS; film++) origin.put(`/${film}.mp4`, { size: SIZE, headers: HEADERS });
    origin.put('/clip.mp4', { bytes: readFileSync(CLIP), headers: HEADERS });
    edge = await Edge.start({ origin: origin.url, settings: SETTINGS });
  });
  after(async () => {
    await edge.end();
    await origin.close();
  });

  async function watch(film: number): Promise<string | undefined> {
    const { status, headers, body } = await edge.get(`/${film}.mp4`);
    assert.equal(status, 200);
    assert.equal(body.length, SIZE);
    assert.equal(firstWrong(body, `/${film}.mp4`, 'v1', 0), -1);
    return headers['cache-status'] as string | undefined;
  }

  /**
   * Waits until the writer has made room for a film, so that no block is dropped because the disk was slower than this
   * test.
   */
  async function roomForAFilm(): Promise<void> {
    for (;;) {
      const { capacityBytes, usedBytes, dropped } = (await edge.stats()).services.memory;
      assert.equal(dropped, 0);
      if (capacityBytes - usedBytes > SIZE) return;
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  const seek = async () => {
    const { status, headers, body } = await edge.get('/clip.mp4?start=12.5');
    assert.equal(status, 200);
    return `${headers['x-seek-actual']} ${createHash('sha256').update(body).digest('hex')}`;
  };

  it('serves everything after a restart without the origin: ranges from memory and disk, and seeks', async () => {
    const sought = await seek();
    for (let film = 0; film < FILMS; film++) {
      await roomForAFilm();
      await watch(film);
    }
    await edge.stop();
    const asked = origin.requests.length;
    await origin.refuse();
    await edge.restart();

    const outcomes = new Set<string | undefined>();
    // The last ones are still in memory.
    for (let film = FILMS - 1; film >= 0; film--) {
      await roomForAFilm();
      outcomes.add(await watch(film));
    }
    assert.deepEqual([...outcomes].sort(), ['moovedge; hit; detail=disk', 'moovedge; hit; detail=memory']);
    assert.equal(await seek(), sought);
    assert.equal(origin.requests.length, asked);
    await origin.accept();
  });

  it('is told of by inspect-cache while the edge runs and when it is down', async () => {
    const sources = () => ({ file: join(edge.folder, 'edge.yaml'), flags: [], env: {} });
    const tell = async () => {
      let told = '';
      assert.equal(await inspectTiers(sources(), text => (told += text)), 0);
      const blocks =
        /^disk tier\n {2}folder +\S+\/disk\n {2}file +.* in use\n {2}blocks +(\d+) of (\d+) objects\n/m.exec(told);
      assert.ok(blocks, told);
      return blocks.slice(1).map(Number);
    };
    let [blocks, objects] = await tell();
    // The writer says once a second what it has written.
    while (blocks !== (await edge.stats()).services.disk.blocks) {
      await new Promise(resolve => setTimeout(resolve, 50));
      [blocks, objects] = await tell();
    }
    assert.ok(objects! > FILMS / 2 && objects! <= FILMS + 1, `${objects} objects`);
    const asked = await fetch(`${edge.admin}/why`, { method: 'POST', body: JSON.stringify({ url: '/0.mp4' }) });
    const id = ((await asked.json()) as Explanation).objects[0]?.id ?? 'none';
    let told = '';
    assert.equal(await inspectTiers(sources(), text => (told += text), id), 0);
    assert.match(told, new RegExp(`^object ${id}\n( {2}blocks? [0-2].* (memory|disk).*\n)+$`), told);
    assert.match(told, / 2 +(memory|disk)/);
    await edge.stop();
    assert.ok((await tell())[0]! >= blocks!);
    await edge.restart();
  });

  it('serves everything after kill -9 of all processes', async () => {
    await edge.killAll();
    const asked = origin.requests.length;
    await edge.restart();
    for (let film = 0; film < FILMS; film++) {
      await roomForAFilm();
      await watch(film);
    }
    assert.equal(origin.requests.length, asked);
  });

  it('fetches blocks that were damaged on disk from the origin, counts them, and has them removed', async () => {
    assert.ok(flipValues(join(edge.folder, 'disk', 'blocks.mdb')) > 50);
    for (let film = 0; film < FILMS; film++) {
      await roomForAFilm();
      await watch(film);
    }
    const { disk } = (await edge.stats()).services;
    assert.ok(disk.damagedBlocks > 20, `${disk.damagedBlocks} were found`);
    const metrics = await (await fetch(`${edge.admin}/metrics`)).text();
    const counted = /^moovedge_checksum_failures_total\{tier="disk"\} (\d+)$/m.exec(metrics)?.[1];
    assert.equal(Number(counted), disk.damagedBlocks);
    // What was fetched anew has taken their place. A block that was in memory is read from the disk in a later round.
    let [before, found] = [0, disk.damagedBlocks];
    for (let round = 0; round < 4 && found !== before; round++) {
      for (let film = 0; film < FILMS; film++) {
        await roomForAFilm();
        await watch(film);
      }
      [before, found] = [found, (await edge.stats()).services.disk.damagedBlocks];
    }
    assert.equal(found, before);
  });
});

/** Flips a bit in the blocks of every second value in the file; the number of values. */
function flipValues(path: string): number {
  const bytes = readFileSync(path);
  const file = openSync(path, 'r+');
  let values = 0;
  for (let at = bytes.indexOf(VALUE_MAGIC); at >= 0; at = bytes.indexOf(VALUE_MAGIC, at + 1)) {
    if (values++ % 2 !== 0) continue;
    const place = at + VALUE_DATA + 1000;
    writeSync(file, Buffer.from([bytes[place]! ^ 4]), 0, 1, place);
  }
  closeSync(file);
  return values;
}
