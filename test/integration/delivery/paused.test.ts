import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamSink } from '../../../src/catalog/content.js';
import { selfSigned } from '../../support/certificate.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { listening, startEdge } from '../../support/http-edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const PAUSE = 45_000;
const large = contentAt('/large', 'v1', 0, 20_000_000);

/** Asks for `/large` and stops reading at once. */
async function pausedPlayer(port: number): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.socket.pause();
  return connection.request('GET', '/large');
}

/**
 * Players with small windows, which Node can't have, that ask for `/large` and never read. By `-c PORT COUNT TLS`: says
 * `on` when all have asked, and ends when its input does.
 */
const PAUSED = `
import socket, ssl, sys
port, count, tls = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == 'tls'
context = ssl._create_unverified_context()
players = []
for _ in range(count):
    player = socket.socket()
    player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    player.connect(('127.0.0.1', port))
    if tls: player = context.wrap_socket(player)
    player.sendall(b'GET /large HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
    players.append(player)
print('on', flush=True)
sys.stdin.read()
`;

/** Bytes that the kernel holds for each connection of a port, which its other end has not taken. */
function heldByKernel(port: number): number[] {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map(line => line.trim().split(/\s+/));
  return lines
    .filter(([, own, , state]) => own === local && state === '01')
    .map(([, , , , queues]) => Number.parseInt(queues!.split(':')[0]!, 16));
}

const { cert, key } = selfSigned();
for (const [port, engine, isSecure] of [
  ['uWebSockets.js', 'uws', false],
  ['uWebSockets.js over TLS', 'uws', true],
  ['Node', 'node', false],
  ['Node over TLS', 'node', true],
] as const) {
  test(`the kernel keeps at most 160 KiB for each player that pauses: ${port}`, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-tls-'));
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const tls = isSecure ? { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') } : undefined;
    const bounds = { connections: 1000, perClient: 0, requests: 0, loopback: false, unsentBytes: 128 * 1024 };
    const edge = await startEdge({ bounds }, listening(engine, { tls, bounds }));
    rmSync(folder, { recursive: true });
    edge.content.paths.set('/large', new FakeObject(large));
    const players = spawn('python3', ['-c', PAUSED, String(edge.port), '20', isSecure ? 'tls' : ''], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => players.kill());
    await once(players.stdout, 'data');
    // Nothing moves any more.
    let held: number[] = [];
    await until('what the kernel takes', async () => {
      const before = held.join();
      await sleep(200);
      held = heldByKernel(edge.port);
      return held.length === 20 && held.every(bytes => bytes > 0) && held.join() === before;
    });
    t.diagnostic(`${Math.max(...held)} bytes at most`);
    assert.ok(Math.max(...held) <= 160 * 1024, held.join());
    players.stdin.end();
    await until('they are gone', () => edge.server.stats.openResponses === 0);
  });
}

suite('players that pause for 45 seconds', { concurrency: true }, () => {
  test('get the rest whole, and one that leaves meanwhile is noticed', async () => {
    const { content, port, server } = await startEdge();
    const film = new FakeObject(large);
    content.paths.set('/large', film);
    const players = await Promise.all(Array.from({ length: 5 }, () => pausedPlayer(port)));
    const leaver = await pausedPlayer(port);
    await until('all have asked', () => server.stats.openResponses === 6);
    await sleep(13_000);
    assert.equal(server.stats.openResponses, 6, 'nobody was cut by the timer of the socket');
    leaver.socket.resetAndDestroy();
    await until('the one that left is gone', () => server.stats.openResponses === 5);
    await sleep(PAUSE - 13_000);
    assert.equal(server.stats.openResponses, 5);
    for (const { socket } of players) socket.resume();
    for (const player of players) assert.ok((await player.answer()).body.equals(large));
    assert.deepEqual(film.faults, []);
    assert.equal(server.stats.stallTimeouts, 0);
    for (const { socket } of players) socket.destroy();
  });

  test('get the rest whole over TLS too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-tls-'));
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const { content, port, server } = await startEdge(
      {},
      { tls: { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') } },
    );
    rmSync(folder, { recursive: true });
    content.paths.set('/large', new FakeObject(large));
    const player = get({ host: '127.0.0.1', port, path: '/large', ca: cert, agent: false });
    const [answer] = (await once(player, 'response')) as [IncomingMessage];
    await sleep(PAUSE);
    assert.equal(server.stats.openResponses, 1);
    assert.ok((await buffer(answer)).equals(large));
  });

  test('of a body of unknown size get the rest whole', async () => {
    const { content, port, server } = await startEdge();
    let resume = () => {};
    let sink: StreamSink | undefined;
    content.paths.set('/large', {
      kind: 'stream',
      contentType: 'video/mp4',
      fields: [],
      start(given) {
        sink = given;
        return { resume: () => resume(), cancel() {} };
      },
      release() {},
    });
    const player = await pausedPlayer(port);
    await until('the stream is started', () => sink !== undefined);
    let at = 0;
    resume = () => {
      while (at < large.length) {
        const chunk = large.subarray(at, at + 60_000);
        at += chunk.length;
        if (!sink!.bytes(chunk)) break;
      }
      if (at >= large.length) sink!.ended();
    };
    resume();
    await sleep(PAUSE);
    assert.equal(server.stats.openResponses, 1);
    player.socket.resume();
    assert.ok((await player.answer()).body.equals(large));
    player.socket.destroy();
  });

  test('are cut when the stall timeout is shorter, but one that reads a little is not', async () => {
    const { content, port, server } = await startEdge({ stallTimeout: 10_000 });
    content.paths.set('/large', new FakeObject(large));
    const paused = await pausedPlayer(port);
    const slow = await pausedPlayer(port);
    await until('both have asked', () => server.stats.openResponses === 2);
    const sipping = setInterval(() => {
      slow.socket.once('data', () => slow.socket.pause());
      slow.socket.resume();
    }, 1000);
    await until('the paused one is cut', () => server.stats.stallTimeouts === 1, 40);
    await sleep(10_000);
    clearInterval(sipping);
    assert.equal(server.stats.stallTimeouts, 1);
    assert.equal(server.stats.openResponses, 1);
    slow.socket.resume();
    assert.ok((await slow.answer()).body.equals(large));
    for (const { socket } of [paused, slow]) socket.destroy();
  });
});
