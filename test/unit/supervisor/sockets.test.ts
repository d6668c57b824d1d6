import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { countListeners, listenersOf } from '../../../src/supervisor/sockets.js';

const LISTEN = 'require("net").createServer().listen(+process.argv[2], process.argv[1], () => console.log("there"))';
const HAS_IPV6 = Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1'));

/** A process that listens there. */
async function listener(host: string, port: number): Promise<number> {
  const child = spawn(process.execPath, ['-e', LISTEN, host, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid!;
}

async function listen(host: string, port = 0): Promise<number> {
  const server = createServer().listen(port, host);
  after(() => server.close());
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

test('who listens at one address is not who listens at another one of the same port', async () => {
  const port = await listen('127.0.0.2');
  const other = await listener('127.0.0.3', port);
  const pids = (host: string) => listenersOf(host, port).map(({ pid }) => pid);
  assert.deepEqual(pids('127.0.0.2'), [process.pid]);
  assert.deepEqual(pids('127.0.0.3'), [other]);
  assert.deepEqual(pids('127.0.0.4'), []);
  for (const any of ['0.0.0.0', 'localhost']) {
    assert.deepEqual(
      pids(any).sort((a, b) => a - b),
      [process.pid, other].sort((a, b) => a - b),
      any,
    );
  }
  assert.deepEqual(
    [['127.0.0.2'], ['127.0.0.3', '127.0.0.2'], ['127.0.0.4'], ['0.0.0.0'], ['localhost']].map(hosts =>
      countListeners(port, hosts),
    ),
    [1, 2, 0, 0, 2],
  );
});

test('who listens at any address leaves no room at each of them', async () => {
  const port = await listen('0.0.0.0');
  assert.deepEqual(
    listenersOf('127.0.0.9', port).map(({ pid }) => pid),
    [process.pid],
  );
  assert.equal(countListeners(port, ['0.0.0.0']), 1);
});

test('addresses of IPv6 are told apart', { skip: HAS_IPV6 ? false : 'this machine has no IPv6' }, async () => {
  const port = await listen('::1');
  const other = await listener('127.0.0.1', port);
  assert.deepEqual(
    ['::1', '0:0:0:0:0:0:0:1', '127.0.0.1'].map(host => listenersOf(host, port)[0]?.pid),
    [process.pid, process.pid, other],
  );
  assert.equal(countListeners(port, ['::1']), 1);
});
