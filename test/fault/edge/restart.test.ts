import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { type Answer, Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { isAlive, kill } from '../../support/processes.js';

const FILMS = 6;
const SIZE = 5 * BLOCK_SIZE + 12_345;
const path = (film: number) => `/films/${film}.mp4`;

const soon = () => new Promise(resolve => setTimeout(resolve, 5));

/** GETs a range and checks every byte. */
async function fetchRange(edge: Edge, film: number, start: number, end: number): Promise<Answer> {
  const answer = await edge.get(path(film), { Range: `bytes=${start}-${end - 1}` });
  assert.equal(answer.status, 206);
  assert.equal(answer.body.length, end - start);
  assert.equal(firstWrong(answer.body, path(film), 'v1', start), -1);
  return answer;
}

async function watchAll(edge: Edge): Promise<void> {
  for (let film = 0; film < FILMS; film++) await fetchRange(edge, film, 0, SIZE);
}

describe('what is cached outlives every process', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  before(async () => {
    origin = await FaultOrigin.start();
    for (let film = 0; film < FILMS; film++)
      origin.put(path(film), { size: SIZE, headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start({ origin: origin.url, workers: 2 });
    await watchAll(edge);
  });
  after(async () => {
    await edge.end();
    await origin.close();
  });

  /** Every film whole, from memory, with no word to the origin. */
  async function expectWarm(): Promise<void> {
    const asked = origin.requests.length;
    for (let film = 0; film < FILMS; film++) {
      for (let start = 0; start < SIZE; start += BLOCK_SIZE) {
        const answer = await fetchRange(edge, film, start, Math.min(SIZE, start + BLOCK_SIZE));
        assert.equal(answer.headers['cache-status'], 'moovedge; hit; detail=memory');
      }
    }
    assert.equal(origin.requests.length, asked);
  }

  /** Blocks in memory. */
  async function blocks(): Promise<number> {
    return (await edge.stats()).services.memory.blocks;
  }

  it('a clean restart', async () => {
    assert.equal(await edge.stop(), 0);
    await edge.restart();
    await expectWarm();
  });

  it('kill -9 of everything at once', async () => {
    await edge.killAll();
    await edge.restart();
    await expectWarm();
  });

  it('kill -9 of everything under load: at least 99 % of the blocks are still there', async () => {
    const before = await blocks();
    const load = spawn('wrk', ['-t1', '-c16', '-d30s', '-H', 'Range: bytes=0-262143', edge.url + path(0)], {
      stdio: 'ignore',
    });
    const ended = new Promise(resolve => load.once('exit', resolve));
    const { responseBytes } = (await edge.stats()).totals;
    while ((await edge.stats()).totals.responseBytes < responseBytes + 200 * BLOCK_SIZE) await soon();
    await edge.killAll();
    load.kill();
    await ended;
    await edge.restart();
    assert.ok((await blocks()) >= before * 0.99);
    await expectWarm();
  });

  it('kill -9 of a worker: it is replaced, and the other one serves meanwhile', async () => {
    const [victim] = edge.workers;
    assert.ok(victim);
    kill(victim);
    // The first thread is gone before the last socket is.
    while (existsSync(`/proc/${victim}/task`) && readdirSync(`/proc/${victim}/task`).length > 1) await soon();
    while (isAlive(victim)) await soon();
    await expectWarm();
  });

  it('a restart while the origin is down', async () => {
    await edge.stop();
    await origin.refuse();
    await edge.restart();
    await expectWarm();
    await origin.accept();
  });

  it('leaves no process behind', async () => {
    const { pids } = edge;
    assert.ok(pids.length >= 3);
    assert.equal(await edge.stop(), 0);
    assert.deepEqual(pids.filter(isAlive), []);
    await edge.restart();
  });
});
