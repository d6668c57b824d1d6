import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { firstWrong } from '../../support/content.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { processTree } from '../../support/processes.js';
import { until } from '../../support/until.js';

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
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
      const config = `${edge.folder}/edge.yaml`;
      const args = [CLI, 'serve', '--config', config, '--take-over', '--memory', size];
      const newer = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let log = '';
      newer.stderr.setEncoding('utf8').on('data', text => {
        log += text;
      });
      try {
        await until('the older edge to go', () => edge.ended);
        assert.equal((await edge.stats()).pid, newer.pid);
        await expectFilms();
        assert.equal(origin.requests.length, asked, 'nothing was fetched again');
        assert.match(log, /blocks were taken along/);
      } finally {
        for (const pid of processTree(newer.pid!)) process.kill(pid, 'SIGKILL');
      }
    });
  }
});
