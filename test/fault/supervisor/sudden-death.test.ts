import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../../../src/app/exit-code.js';
import type { EdgeEvents } from '../../../src/app/services/edge-events.js';
import { silentLog } from '../../../src/base/log.js';
import { type Config, defaultConfig } from '../../../src/config/schema.js';
import { Supervisor } from '../../../src/supervisor/supervisor.js';
import { launchFakeEdge, startFakeEdge } from '../../integration/supervisor/fake-edge.js';
import { fakeServices } from '../../integration/supervisor/fake-services.js';
import { Load } from '../../integration/supervisor/load.js';
import { fetchText } from '../../support/fetch-text.js';
import { freePorts } from '../../support/ports.js';
import { isAlive } from '../../support/processes.js';
import { until } from '../../support/until.js';

test('when the supervisor is killed, running answers end, no process is left, and a new edge starts at once', async () => {
  const edge = await startFakeEdge();
  const slow = fetchText(edge.port, '/slow?ms=2000');
  await until('the slow request', async () => ((await edge.stats()).totals.openResponses > 0 ? true : undefined));
  edge.signal('SIGKILL');
  assert.equal((await edge.exited).signal, 'SIGKILL');
  const next = await startFakeEdge({ ports: edge });
  assert.equal((await slow).status, 200);
  await until('the orphans gone', () => (edge.workersSoFar.some(isAlive) ? undefined : true));
  assert.equal((await fetchText(next.port, '/')).status, 200);
  await next.end();
  await edge.end();
});

test('a supervisor that is stopped is not missed by players', async () => {
  const edge = await startFakeEdge();
  edge.signal('SIGSTOP');
  for (let i = 0; i < 20; i++) assert.equal((await fetchText(edge.port, '/')).status, 200);
  edge.signal('SIGCONT');
  assert.ok((await edge.stats()).totals.requests >= 20);
  await edge.end();
});

test('a newer edge takes port and admin port over from an older one, and no request fails', async () => {
  const older = await startFakeEdge();
  const slow = fetchText(older.port, '/slow?ms=4000');
  await until('the slow request', async () => ((await older.stats()).totals.openResponses > 0 ? true : undefined));
  const load = new Load(older.port, 10);
  const newer = await startFakeEdge({ ports: older, takeOver: true });
  assert.equal((await newer.stats()).pid, newer.pid);
  assert.equal((await slow).status, 200);
  assert.deepEqual(await older.exited, { code: 0, signal: null });
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal((await fetchText(newer.port, '/')).status, 200);
  await newer.end();
  await older.end();
});

test('without --take-over a second edge on the same port does not start, and says how', async () => {
  const edge = await startFakeEdge();
  const [adminPort = 0] = await freePorts(1);
  const second = await launchFakeEdge({ ports: { port: edge.port, adminPort } });
  assert.equal((await second.exited).code, EXIT.tryAgain);
  await second.logged(/^moovedge: port \d+ is taken by moovedge.*--take-over\n$/);
  assert.equal((await fetchText(edge.port, '/')).status, 200);
  await second.end();
  await edge.end();
});

test('a worker that hangs is killed and replaced', async () => {
  const [port = 0] = await freePorts(1);
  const config = {
    ...defaultConfig(),
    listen: [{ ...defaultConfig().listen[0]!, host: '127.0.0.1', port }],
    workers: 1,
  };
  const supervisor = new Supervisor<Config, EdgeEvents>({
    config,
    workerEntry: fileURLToPath(new URL('../../integration/supervisor/fake-worker.ts', import.meta.url)),
    log: silentLog,
    services: async context => (await fakeServices(context)).all,
    version: '0',
    takeOver: false,
    lookInterval: 1000,
    hopeless: () => {},
  });
  await supervisor.start();
  const pidOf = async () => (await supervisor.stats()).workers[0]?.pid;
  const before = await pidOf();
  await assert.rejects(fetchText(port, '/hang'));
  await until('a replacement', async () => {
    const after = await pidOf();
    return after !== before && supervisor.ready ? true : undefined;
  });
  assert.equal((await fetchText(port, '/')).status, 200);
  await supervisor.stop(0);
});
