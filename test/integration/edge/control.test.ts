/**
 * An edge is controlled by the command line, and tells a service manager how it is: reload, drain, upgrade and stop.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../../../src/app/exit-code.js';
import { Edge } from '../../support/edge.js';
import { CLI } from '../../support/edge-command.js';
import { Manager } from '../../support/manager.js';
import { freePorts } from '../../support/ports.js';
import { isAlive, processTree } from '../../support/processes.js';
import { fetchRaw } from '../../support/raw-http.js';
import { until } from '../../support/until.js';
import { moovedge } from '../commands/cli.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));
/** Microseconds in which a manager wants to hear of the edge. */
const WATCHDOG = 400_000;
let manager: Manager;
let edge: Edge;
/** An edge that has taken over, which is no child of this process. */
let successor = 0;
before(async () => {
  manager = await Manager.start();
  Object.assign(process.env, { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: String(WATCHDOG) });
  try {
    edge = await Edge.start({ origin: SAMPLES });
  } finally {
    delete process.env.NOTIFY_SOCKET;
    delete process.env.WATCHDOG_USEC;
  }
});
after(async () => {
  if (successor !== 0) for (const pid of processTree(successor)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await edge?.end();
  manager?.end();
});

const run = (...args: string[]) => moovedge([...args, '--admin', edge.admin]);

test('status tells how the edge is, and a manager knows that it is ready and alive', async () => {
  const { code, output } = await run('status');
  assert.equal(code, EXIT.ok);
  assert.match(output, new RegExp(`^state +ready\\nprocess +${edge.pid}, version \\d.*, up .*\\nlistens +127.0.0.1`));
  assert.match(output, /^workers +1 ready; generation 1, 0 replaced after a death$/m);
  assert.equal(JSON.parse((await run('status', '--json')).output).pid, edge.pid);
  const ready = await manager.told('READY');
  assert.equal(ready.pid, edge.pid);
  assert.match(ready.values.STATUS!, new RegExp(`serves at 127.0.0.1:${edge.port}`));
  await until('three signs of life', () => manager.notices.filter(({ values }) => values.WATCHDOG === '1').length > 2);
  assert.ok(
    manager.notices.every(({ pid }) => pid === edge.pid),
    'only the supervisor tells',
  );
});

test('reload says that it is done, or every mistake', async () => {
  assert.deepEqual(await run('reload'), { code: EXIT.ok, output: 'reloaded\n', errors: '' });
  const begun = await manager.told('RELOADING');
  const done = await manager.told('READY', ({ values }) => values.STATUS === 'reloaded');
  assert.ok(manager.notices.indexOf(begun) < manager.notices.indexOf(done), JSON.stringify(manager.notices));
  assert.match(begun.values.MONOTONIC_USEC!, /^\d+$/);
  edge.configure('bogus: 1\nlimits: {rate: many}');
  const { code, errors } = await run('reload');
  assert.equal(code, EXIT.config);
  assert.match(errors, /goes on as it was:\n.*edge\.yaml:\d+:1: unknown key bogus\n.*limits\.rate: expected a whole/);
  await manager.told('STATUS', ({ values }) => /^not reloaded/.test(values.STATUS!));
  edge.configure('');
});

test('reload says so though it moves the admin port that it is told at', async () => {
  const file = join(edge.folder, 'edge.yaml');
  const before = readFileSync(file, 'utf8');
  const [port] = await freePorts(1);
  writeFileSync(file, before.replace(/^admin: .*$/m, `admin: {port: ${port}}`));
  assert.deepEqual(await run('reload'), { code: EXIT.ok, output: 'reloaded\n', errors: '' });
  assert.match((await run('status')).errors, /no edge answers/, 'nobody listens where it was');
  writeFileSync(file, before);
  const back = await moovedge(['reload', '--admin', `http://127.0.0.1:${port}`]);
  assert.deepEqual(back, { code: EXIT.ok, output: 'reloaded\n', errors: '' });
});

test('a drained edge serves on, but is not ready until that is undone', async () => {
  const agent = async () => (await (await fetch(`${edge.admin}/health/agent`)).text()).trim();
  assert.match(await agent(), /ready$/);
  const { code, output } = await run('drain', '--wait');
  assert.equal(code, EXIT.ok);
  assert.match(output, /^drained: .*\n(\d+ answers under way\n)*0 answers under way\n$/);
  assert.equal((await fetch(`${edge.admin}/readyz`)).status, 503);
  assert.equal((await fetch(`${edge.admin}/healthz`)).status, 200);
  assert.equal(await agent(), 'drain');
  assert.equal((await edge.get('/plain.flv')).status, 200);
  const drained = await run('status');
  assert.equal(drained.code, EXIT.tryAgain);
  assert.match(drained.output, /^state +drained: not ready, but serving$/m);
  assert.equal((await run('drain', '--undo')).output, 'ready again\n');
  assert.equal((await fetch(`${edge.admin}/readyz`)).status, 200);
  assert.match(await agent(), /ready$/);
});

test('upgrade starts the installed version, which becomes the service, and has the cache', async () => {
  const { code, output, errors } = await run('upgrade');
  assert.equal(code, EXIT.ok, errors);
  successor = Number(/^upgraded: version \S+, process (\d+)$/m.exec(output)?.[1]);
  assert.notEqual(successor, edge.pid);
  assert.deepEqual(await edge.exited, { code: 0, signal: null });
  const main = await manager.told('MAINPID');
  assert.deepEqual([main.pid, main.values.MAINPID], [successor, String(successor)]);
  await manager.told('READY', ({ pid }) => pid === successor);
  await manager.told('WATCHDOG', ({ pid }) => pid === successor);
  assert.ok(!manager.notices.some(({ values }) => 'STOPPING' in values), 'the service does not stop');
  const answer = await fetch(`${edge.url}/plain.flv`);
  await answer.arrayBuffer();
  assert.match(answer.headers.get('cache-status') ?? '', /hit|fwd-status=304/, 'not fetched anew');
  assert.equal((await run('status')).code, EXIT.ok);
});

test('stop ends it, and waits until it has', async () => {
  const { code, output } = await run('stop');
  assert.equal(code, EXIT.ok);
  assert.match(output, /^stopping: answers under way may take 30 s\nstopped\n$/);
  await until('the process to end', () => !isAlive(successor));
  await manager.told('STOPPING', ({ pid }) => pid === successor);
  const { code: gone, errors } = await run('status');
  assert.equal(gone, EXIT.unavailable);
  assert.match(errors, /no edge answers/);
});

test('an edge is warm soon after its start, and a version that can not start leaves it as it is', async () => {
  const manager = await Manager.start(true);
  Object.assign(process.env, { NOTIFY_SOCKET: manager.socket });
  const folder = mkdtempSync('/dev/shm/moovedge-test-');
  writeFileSync(join(folder, 'warm.txt'), '/plain.flv\n');
  const other = await Edge.start({
    origin: SAMPLES,
    folder,
    settings: 'warm: [{list: $FOLDER/warm.txt, atStart: true}]',
  });
  delete process.env.NOTIFY_SOCKET;
  try {
    await other.logged('a warm list was fetched');
    assert.match((await fetchRaw(other.port, 'GET', '/plain.flv')).fields['cache-status']!, /hit; detail=memory/);
    other.configure('bogus: 1');
    const { code, errors } = await moovedge(['upgrade', '--admin', other.admin]);
    assert.notEqual(code, EXIT.ok);
    assert.match(errors, /the installed version does not take over \(it ended with 78\): see the log/);
    assert.match(await other.logged('bogus'), /unknown key bogus/);
    assert.equal((await moovedge(['status', '--admin', other.admin])).code, EXIT.ok);
    assert.equal((await manager.told('READY')).pid, other.pid, 'at an abstract socket, too');
  } finally {
    await other.end();
    manager.end();
  }
});

/** Arguments by which `unshare` gives a process mounts of its own. */
const UNSHARE = process.getuid?.() === 0 ? ['-m'] : ['-Urm'];
const mayUnshare = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']).status === 0;

test('with the 64 MiB that containers have, it starts with its memory elsewhere, and says so', {
  skip: !mayUnshare && 'mounting a tmpfs is not permitted',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-small-'));
  const [port = 0, adminPort = 0] = await freePorts(2);
  const flags = ['--port', `${port}`, '--admin-port', `${adminPort}`, '--memory', '64MiB', '--workers', '1'];
  const start = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"';
  const command = [...UNSHARE, 'sh', '-c', start, 'sh', process.execPath, CLI, 'serve', SAMPLES, ...flags];
  const child = spawn('unshare', command, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text;
  });
  try {
    await until(
      () => `an edge that serves, found ${log}`,
      () => log.includes('"serving"') || (child.exitCode !== null && assert.fail(log)),
    );
    assert.match(log, /"warn".*"\/dev\/shm is too small: the memory tier lies on a disk.*docker run --shm-size/);
    assert.ok(existsSync(join(folder, `moovedge-${port}.cache`)));
    assert.equal((await fetch(`http://127.0.0.1:${port}/plain.flv`)).status, 200);
    assert.equal((await moovedge(['stop', '--admin', `http://127.0.0.1:${adminPort}`])).code, EXIT.ok);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
