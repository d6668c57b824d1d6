import assert from 'node:assert/strict';
import { renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { kill } from '../../support/processes.js';
import { until } from '../../support/until.js';

const FILM = '/film.mp4';
const SIZE = 8 * BLOCK_SIZE + 321;

describe('the memory file while the edge runs', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  beforeEach(async () => {
    origin = await FaultOrigin.start();
    origin.put(FILM, { size: SIZE, headers: { 'Cache-Control': 'max-age=3600' } });
    edge = await Edge.start({ origin: origin.url, workers: 2, settings: 'shutdown: {grace: 1s}' });
    await serves();
  });
  afterEach(async () => {
    await edge.killAll();
    await edge.end();
    await origin.close();
  });

  async function serves(): Promise<void> {
    const { status, body } = await edge.get(FILM);
    assert.equal(status, 200);
    assert.equal(body.length, SIZE);
    assert.equal(firstWrong(body, FILM, 'v1', 0), -1);
  }

  /** Kills every worker, and waits until others serve in their place, with what was cached. */
  async function expectReplacements(knowsHeads: boolean): Promise<void> {
    const before = edge.workers;
    const asked = origin.requests.length;
    for (const pid of before) kill(pid);
    await until('other workers', () => edge.workers.length === 2 && !edge.workers.some(pid => before.includes(pid)));
    await until('answers', () =>
      serves().then(
        () => true,
        () => false,
      ),
    );
    if (knowsHeads) assert.equal(origin.requests.length, asked, 'what is cached is still there');
  }

  async function expectReload(): Promise<void> {
    edge.signal('SIGHUP');
    await edge.logged('"text":"reloaded"');
  }

  const takenAway: Record<string, () => void> = {
    'it is removed': () => rmSync(edge.memoryFile),
    'it is removed with the catalog': () => {
      rmSync(edge.memoryFile);
      rmSync(`${edge.memoryFile}.catalog`, { recursive: true });
    },
    'it is renamed': () => renameSync(edge.memoryFile, join(edge.folder, 'elsewhere')),
    'another file stands in its place': () => {
      rmSync(edge.memoryFile);
      writeFileSync(edge.memoryFile, 'something else');
    },
  };
  for (const [what, happen] of Object.entries(takenAway)) {
    it(`${what}: later workers get it from the supervisor`, async () => {
      happen();
      const knowsHeads = !what.includes('catalog');
      await expectReplacements(knowsHeads);
      await expectReload();
      await expectReplacements(knowsHeads);
    });
  }

  /** The edge is not to go on without its memory: whoever looks after it starts it again. */
  for (const share of [0, 0.01, 0.5, 0.999]) {
    it(`it is cut off at ${share * 100} %: the edge ends, and starts again with a new file`, async () => {
      const { pids } = edge;
      truncateSync(edge.memoryFile, Math.floor(statSync(edge.memoryFile).size * share));
      const code = await until('the end', () => edge.ended);
      assert.notEqual(code.code ?? code.signal, 0, 'its manager must see that it failed');
      await edge.killAll();
      assert.ok(pids.length >= 3);
      await edge.restart();
      await serves();
    });
  }
});
