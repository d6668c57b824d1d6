import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { Edge } from '../../support/edge.js';
import { FaultOrigin } from '../../support/fault-origin.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const OPEN_FILES = 300;
const FILMS = 12;
const SIZE = BLOCK_SIZE + 321;

describe('an edge whose processes may open few files', () => {
  let origin: FaultOrigin;
  let edge: Edge;
  const idle: Socket[] = [];
  before(async () => {
    origin = await FaultOrigin.start();
    for (let film = 0; film <= FILMS; film++) origin.put(`/${film}.mp4`, { size: SIZE });
    edge = await Edge.start({ origin: origin.url, openFiles: OPEN_FILES });
  });
  after(async () => {
    for (const socket of idle) socket.destroy();
    await edge.end();
    await origin.close();
  });

  it('says at its start that they are few, and how many are needed', async () => {
    const line = await edge.logged('"openFiles"');
    const { openFiles, wanted, connections } = JSON.parse(line);
    assert.equal(openFiles, OPEN_FILES);
    assert.ok(wanted > 8192 && connections < OPEN_FILES && connections > OPEN_FILES / 3, line);
    assert.match(line, /ulimit -n/);
  });

  it('serves misses, blames no origin, and answers /healthz, however many connect', async () => {
    const kept = await RawConnection.open(edge.port);
    assert.equal((await kept.request('GET', '/0.mp4').answer()).status, 200);
    for (let i = 0; i < 2 * OPEN_FILES; i++) idle.push(connect(edge.port, '127.0.0.1').on('error', () => {}));
    await until('accepting pauses', async () => {
      const text = await (await fetch(`${edge.admin}/metrics`)).text();
      return Number(/^moovedge_http_open_connections(?:{.*})? (\d+)/m.exec(text)?.[1]) > OPEN_FILES / 3;
    });
    for (let film = 1; film <= FILMS; film++) {
      const { status, body } = await kept.request('GET', `/${film}.mp4`).answer();
      assert.equal(status, 200);
      assert.equal(body.length, SIZE);
    }
    assert.equal((await fetch(`${edge.admin}/healthz`)).status, 200);
    assert.doesNotMatch(edge.log, /EMFILE|too many open files|origin_unavailable/);
    for (const socket of idle.splice(0)) socket.destroy();
    await until('others are served again', async () => (await edge.get('/0.mp4')).status === 200);
    kept.socket.destroy();
  });
});
