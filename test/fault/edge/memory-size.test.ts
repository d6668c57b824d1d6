import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { until } from '../../support/until.js';

const SIZE = 6 * BLOCK_SIZE + 321;
const FILMS = Array.from({ length: 10 }, (_, index) => `/film${index}.mp4`);

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
      const expectFilms = async () => {
        for (const film of FILMS) {
          const { status, body } = await edge.get(film);
          assert.deepEqual([status, body.length, firstWrong(body, film, 'v1', 0)], [200, SIZE, -1]);
        }
      };
      await expectFilms();
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
        await expectFilms();
        assert.equal(origin.requests.length, asked, 'nothing was fetched again');
        await newer.logged('blocks were taken along');
      } finally {
        await newer.killAll();
      }
    });
  }
});
