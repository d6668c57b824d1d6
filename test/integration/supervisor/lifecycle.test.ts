import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../../src/app/exit-code.js';
import { fetchText } from '../../support/fetch-text.js';
import { freePorts } from '../../support/ports.js';
import { isAlive } from '../../support/processes.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';
import { launchFakeEdge, startFakeEdge } from './fake-edge.js';

test('SIGTERM finishes what runs, exits with 0 and leaves no process', async () => {
  const edge = await startFakeEdge();
  const slow = fetchText(edge.port, '/slow?ms=1500');
  await until('the slow request', async () => ((await edge.stats()).totals.openResponses > 0 ? true : undefined));
  edge.signal('SIGTERM');
  assert.equal((await slow).status, 200);
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  assert.equal(edge.workersSoFar.length, 2);
  assert.deepEqual(edge.workersSoFar.filter(isAlive), []);
  await assert.rejects(fetchText(edge.port, '/'), { code: 'ECONNREFUSED' });
  await edge.end();
});

test('an answer that is longer than the grace is cut, and the edge exits with 0 in time', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {grace: 500ms}\n' });
  const slow = fetchText(edge.port, '/slow?ms=60000').catch((error: NodeJS.ErrnoException) => error.code);
  await until('the slow request', async () => ((await edge.stats()).totals.openResponses > 0 ? true : undefined));
  const begun = performance.now();
  edge.signal('SIGTERM');
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  assertSoon(performance.now() - begun, 3000, 'the end');
  assert.equal(await slow, 'ECONNRESET');
  await edge.end();
});

test('a repeated SIGTERM ends the edge at once', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {grace: 1h}\n' });
  const slow = fetchText(edge.port, '/slow?ms=60000').catch((error: NodeJS.ErrnoException) => error.code);
  await until('the slow request', async () => ((await edge.stats()).totals.openResponses > 0 ? true : undefined));
  edge.signal('SIGTERM');
  edge.signal('SIGTERM');
  await edge.logged('stopping');
  await sleep(1200);
  assert.equal(edge.ended, undefined, 'signals in quick succession are one wish');
  edge.signal('SIGTERM');
  assert.equal((await edge.exited).code, 0);
  assert.equal(await slow, 'ECONNRESET');
  await edge.end();
});

test('a delay serves on with /readyz at 503, and then the port closes', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {delay: 8s}\n' });
  assert.equal((await fetchText(edge.adminPort, '/readyz')).status, 200);
  edge.signal('SIGTERM');
  const told = performance.now();
  await edge.logged('told to stop: players are served on');
  assert.equal((await fetchText(edge.adminPort, '/readyz')).status, 503);
  assert.equal((await edge.stats()).ready, false);
  assert.equal((await fetchText(edge.adminPort, '/healthz')).status, 200);
  assert.equal((await fetchText(edge.port, '/')).status, 200);
  // A reload would start what is about to stop.
  edge.signal('SIGHUP');
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  assert.ok(performance.now() - told >= 7900, `took ${performance.now() - told} ms`);
  assert.doesNotMatch(edge.log, /"text":"reloaded"/);
  await assert.rejects(fetchText(edge.port, '/'), { code: 'ECONNREFUSED' });
  await edge.end();
});

test('a repeated SIGTERM ends the delay, too', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {delay: 1h, grace: 1h}\n' });
  edge.signal('SIGTERM');
  await edge.logged('told to stop: players are served on');
  await sleep(1200);
  edge.signal('SIGTERM');
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  assert.deepEqual(edge.workersSoFar.filter(isAlive), []);
  await edge.end();
});

test('whoever takes over waits for no delay', async () => {
  const edge = await startFakeEdge({ settings: 'shutdown: {delay: 1h}\n' });
  edge.signal('SIGTERM');
  await edge.logged('told to stop: players are served on');
  const ports = { port: edge.port, adminPort: edge.adminPort };
  const newer = await startFakeEdge({ ports, takeOver: true });
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  assert.equal((await fetchText(newer.port, '/')).status, 200);
  await newer.end();
  await edge.end();
});

test('a killed worker is replaced within a second, and no counter goes back', async () => {
  const edge = await startFakeEdge();
  for (let i = 0; i < 20; i++) await fetchText(edge.port, '/');
  const before = await edge.stats();
  assert.equal(before.totals.requests, 20);
  const [victim] = before.workers;
  const killed = performance.now();
  process.kill(victim!.pid!, 'SIGKILL');
  await until('a new process', async () => ((await edge.stats()).workers[0]?.pid === victim?.pid ? undefined : true));
  assertSoon(performance.now() - killed, 1000, 'the new process');
  const after = await until('a replacement', async () => {
    const stats = await edge.stats();
    return stats.totals.workerRestarts === 1 && stats.workers.every(({ state }) => state === 'ready')
      ? stats
      : undefined;
  });
  assert.notEqual(after.workers[0]?.pid, victim?.pid);
  assert.ok(after.totals.requests >= 20, `${after.totals.requests} requests`);
  assert.match((await fetchText(edge.adminPort, '/metrics')).body, /^moovedge_worker_restarts_total 1$/m);
  await edge.end();
});

test('a worker that keeps dying is replaced each time, and its last words are logged', async () => {
  const edge = await startFakeEdge({ workers: 1 });
  for (let deaths = 1; deaths <= 3; deaths++) {
    await fetchText(edge.port, '/crash').catch(() => {});
    await until('a replacement', () => (edge.workersSoFar.length === deaths + 1 ? true : undefined));
  }
  await edge.logged(/(?:told to crash.*a defect.*[\s\S]*?){3}/);
  assert.equal(edge.log.match(/told to crash.*a defect/g)?.length, 3);
  await edge.end();
});

test('what keeps an edge from starting is told in one line, with exit code 1', async t => {
  const [port = 0, adminPort = 0, otherPort = 0] = await freePorts(3);
  const other = createServer().listen(port, '127.0.0.1');
  const otherAdmin = createServer().listen(otherPort, '127.0.0.1');
  t.after(() => {
    other.close();
    otherAdmin.close();
  });
  const cases: { name: string; code: number; ports?: [number, number]; settings?: string; line: RegExp }[] = [
    {
      name: 'port',
      code: EXIT.tryAgain,
      ports: [port, adminPort],
      line: new RegExp(
        `^moovedge: port ${port} is taken by .+ \\(pid ${process.pid}\\): stop it, choose another port\\n$`,
      ),
    },
    {
      name: 'admin port',
      code: EXIT.tryAgain,
      ports: [adminPort, otherPort],
      line: new RegExp(`^moovedge: admin: port ${otherPort} is taken by .+\\n$`),
    },
    {
      name: 'directory',
      code: EXIT.config,
      settings: 'origins: [{name: a, url: /no/where}]',
      line: /^.*edge\.yaml:4:26: origins\[0\]\.url: expected a directory that can be read, .*there is no \/no\/where\n$/,
    },
    {
      name: 'worker',
      code: EXIT.cantCreate,
      settings: 'origins: [{name: refuse-start, url: http://a}]',
      // The other worker is told to go, and on a busy machine killed, which is logged.
      line: /^(\{.*\}\n)*moovedge: expected a better day to start\n$/,
    },
    {
      name: 'crash',
      code: EXIT.defect,
      settings: 'origins: [{name: crash-start, url: http://a}]',
      line: /^(\{.*\}\n)*moovedge: worker \d ended before it was ready: exit code 3\n$/,
    },
  ];
  await Promise.all(
    cases.map(async ({ name, code, ports, settings, line }) => {
      const edge = await launchFakeEdge({
        ...(ports && { ports: { port: ports[0], adminPort: ports[1] } }),
        settings: `${settings ?? ''}\n`,
      });
      assert.deepEqual(await edge.exited, { code, signal: null }, name);
      await edge.logged(line);
      await edge.end();
    }),
  );
});

test('SIGTERM while it starts ends it with 0', async () => {
  const edge = await launchFakeEdge();
  const health = await until('the admin port', () => fetchText(edge.adminPort, '/healthz').catch(() => undefined));
  assert.equal(health.status, 200);
  edge.signal('SIGTERM');
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  await edge.end();
});

test('all workers are told what a service tells, those that start later the last of it', async () => {
  const edge = await startFakeEdge({ workers: 1 });
  const told = async () => (await fetchText(edge.port, '/told')).body.split(' ');
  const [pid, epoch] = await until('the worker to be told', async () => {
    const answer = await told();
    return answer[1] === '1' && answer;
  });
  assert.equal(epoch, '1');
  process.kill(Number(pid), 'SIGKILL');
  await until('another worker, which knows it', async () => {
    const answer = await told().catch(() => undefined);
    return answer !== undefined && answer[0] !== pid && answer[1] === '1';
  });
  edge.signal('SIGHUP');
  await until('the workers of a reload to be told what is new', async () => (await told())[1] === '2');
  await edge.end();
});
