import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { isAlive, kill } from '../../support/processes.js';
import { until } from '../../support/until.js';

const FILM = '/film.mp4';
const SIZE = 3 * BLOCK_SIZE + 321;

/** A stopped process keeps what it has inherited, and does not see its parent's end. */
describe('a supervisor that is killed while one of its processes is stopped', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  let stopped: number[] = [];
  beforeEach(async () => {
    origin = await FaultOrigin.start();
    origin.put(FILM, { size: SIZE, headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start({ origin: origin.url, workers: 2, disk: '64MiB' });
    await serves();
  });
  afterEach(async () => {
    for (const pid of stopped) kill(pid);
    stopped = [];
    await edge.killAll();
    await edge.end();
    await origin.close();
  });

  async function serves(): Promise<void> {
    const { status, body } = await edge.get(FILM);
    assert.deepEqual([status, body.length, firstWrong(body, FILM, 'v1', 0)], [200, SIZE, -1]);
  }

  const chosen: Record<string, () => number[]> = {
    'a worker': () => edge.workers.slice(0, 1),
    'every process but itself': () => edge.pids.slice(1),
    'its disk writer': () => edge.pids.slice(1).filter(pid => !edge.workers.includes(pid)),
  };
  for (const [what, pids] of Object.entries(chosen)) {
    it(`${what}: a new edge starts on the same files, and serves`, async () => {
      stopped = pids();
      assert.ok(stopped.length > 0);
      const others = edge.pids.slice(1).filter(pid => !stopped.includes(pid));
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      kill(edge.pid);
      await edge.exited;
      await until('the others to end', () => !others.some(isAlive));
      await edge.restart();
      for (let round = 0; round < 10; round++) await serves();
    });
  }
});
