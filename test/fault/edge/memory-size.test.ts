import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { contentAt, firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const SIZE = 6 * BLOCK_SIZE + 321;
const FILMS = Array.from({ length: 10 }, (_, index) => `/film${index}.mp4`);

/** Asks for every film, whose bytes must be right. */
async function expectFilms(edge: Edge): Promise<void> {
  for (const film of FILMS) {
    const { status, body } = await edge.get(film);
    assert.deepEqual([status, body.length, firstWrong(body, film, 'v1', 0)], [200, SIZE, -1]);
  }
}

describe('a take-over with another size of the memory tier', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  beforeEach(async () => {
    origin = await FaultOrigin.start();
    for (const film of FILMS) origin.put(film, { size: SIZE, headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start({ origin: origin.url, memory: '128MiB', settings: 'shutdown: {reloadGrace: 1s}' });
  });
  afterEach(async () => {
    await edge.killAll();
    await edge.end();
    await origin.close();
  });

  for (const size of ['256MiB', '64MiB']) {
    it(`keeps what is cached: ${size}`, async () => {
      await expectFilms(edge);
      const asked = origin.requests.length;
      const newer = await Edge.start({
        origin: origin.url,
        memory: size,
        ports: edge,
        folder: edge.folder,
        takeOver: true,
      });
      try {
        await until('the older edge to go', () => edge.ended);
        assert.equal((await edge.stats()).pid, newer.pid);
        await expectFilms(edge);
        assert.equal(origin.requests.length, asked, 'nothing was fetched again');
        await newer.logged('blocks were taken along');
      } finally {
        await newer.killAll();
      }
    });
  }
});

describe('a snapshot of the memory tier', () => {
  it('is what an edge begins with after a reboot, and nothing wrong comes of a damaged one', async () => {
    const origin = await FaultOrigin.start();
    for (const film of FILMS) origin.put(film, { size: SIZE, headers: { 'Cache-Control': 'max-age=3600' } });
    const edge = await Edge.start({
      origin: origin.url,
      settings: `cache: {memory: {size: 64MiB, file: $FOLDER/cache, snapshot: $FOLDER/kept/snapshot}}
catalog: {path: $FOLDER/catalog}`,
    });
    const snapshot = join(edge.folder, 'kept/snapshot');
    /** What is in memory is gone. */
    const reboot = async () => {
      if (edge.ended === undefined) assert.equal(await edge.stop(), 0);
      for (const name of ['cache', 'cache.catalog']) rmSync(join(edge.folder, name), { recursive: true, force: true });
      await edge.restart();
    };
    try {
      await expectFilms(edge);
      const asked = origin.requests.length;
      await reboot();
      await edge.logged('the memory tier begins as its snapshot');
      await expectFilms(edge);
      assert.equal(origin.requests.length, asked, 'nothing was fetched again');

      // While it serves; then it dies without another one.
      rmSync(snapshot);
      const saved = (await (await fetch(`${edge.admin}/snapshot`, { method: 'POST' })).json()) as { bytes: number };
      assert.ok(saved.bytes > FILMS.length * SIZE, JSON.stringify(saved));
      await edge.killAll();
      const bytes = readFileSync(snapshot);
      const at = bytes.indexOf(contentAt(FILMS[3]!, 'v1', 1000, 1040));
      assert.ok(at > 0);
      bytes[at]! ^= 1;
      writeFileSync(snapshot, bytes);
      await reboot();
      await expectFilms(edge);
      assert.ok(origin.requests.length > asked, 'the damaged block was fetched');

      assert.equal(await edge.stop(), 0);
      writeFileSync(snapshot, 'junk');
      await reboot();
      await edge.logged('the snapshot can not be used');
      await expectFilms(edge);
      assert.ok(!existsSync(`${snapshot}.part`));
    } finally {
      await edge.killAll();
      await edge.end();
      await origin.close();
    }
  });
});
