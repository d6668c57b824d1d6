import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { native } from '../../../src/base/native.js';
import { Gate, type PortBounds } from '../../../src/http/gate.js';
import { portBounds } from '../../../src/http/port-bounds.js';
import { createHttpServer, type HttpServerOptions } from '../../../src/http/server.js';
import type { AccessEntry } from '../../../src/observe/access-entry.js';
import { contentAt } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeContent, FakeObject, plainFiles } from '../../support/fake-content.js';
import { ENGINES, type Engine, listening } from '../../support/http-edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const NO_BOUNDS: PortBounds = { connections: 10_000, perClient: 0, requests: 0, loopback: false, unsentBytes: 0 };
const G = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n\r\n';
/** A program that pipelines requests on 500 connections, without end, and says so when it does. */
const FLOOD = `
  const { connect } = require('node:net');
  const text = Buffer.from(${JSON.stringify(G)}.repeat(2000));
  let open = 0;
  for (let i = 0; i < 500; i++) {
    const socket = connect(Number(process.argv[1]), '127.0.0.1');
    const write = () => { while (socket.write(text)); };
    socket.on('error', () => {}).on('drain', write).resume();
    socket.on('connect', () => { write(); if (++open === 500) console.log('on'); });
  }`;
/** An address of this machine that is not loopback's, from which it connects to itself as a client like others. */
const outer = Object.values(networkInterfaces())
  .flat()
  .find(address => address?.internal === false && address.family === 'IPv4')?.address;
const needsOuter = { skip: outer === undefined && 'the machine has no address but loopback' };

async function boundedEdge(engine: Engine, wanted: Partial<PortBounds>, options: Partial<HttpServerOptions> = {}) {
  const bounds = { ...NO_BOUNDS, ...wanted };
  const content = new FakeContent();
  const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 700_000));
  content.paths.set('/film.mp4', film);
  const gate = Gate.open(native);
  const server = createHttpServer({
    ...DEFAULTS.http,
    content,
    ...plainFiles,
    gate,
    ...options,
    bounds,
  });
  const port = await server.listen('0.0.0.0', 0, listening(engine, { bounds }));
  const sockets: Socket[] = [];
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  /** Opens connections from an address, and gives what each has received when it is closed. */
  const crowd = (host: string, count: number) =>
    Array.from({ length: count }, () => {
      const to = host.startsWith('127.') ? '127.0.0.1' : host;
      const socket = connect({ port, host: to, localAddress: host }).on('error', () => {});
      let text = '';
      socket.on('data', chunk => {
        text += chunk.toString('latin1');
      });
      sockets.push(socket);
      return { socket, text: () => text, closed: once(socket, 'close').catch(() => {}) };
    });
  const ask = async () => {
    const connection = await RawConnection.open(port);
    sockets.push(connection.socket);
    return (await connection.send(G).answer()).status;
  };
  return { server, content, port, film, gate, crowd, ask };
}

for (const engine of ENGINES)
  test(
    `a client has at most the connections that it may have; others, and loopback, are not concerned: ${engine}`,
    needsOuter,
    async () => {
      const { server, crowd, ask } = await boundedEdge(engine, { perClient: 5 });
      const crowded = crowd(outer!, 8);
      await until('three are refused', () => (server.stats.requests.none[503] ?? 0) >= 3);
      assert.equal(server.stats.openConnections, 5);
      await until('they are told', () => crowded.filter(({ text }) => text().startsWith('HTTP/1.1 503 ')).length === 3);
      assert.ok(crowded.some(({ text }) => /\r\nRetry-After: \d+\r\n/.test(text())));
      crowd('127.0.0.1', 20);
      await until('loopback has no bound', () => server.stats.openConnections === 25);
      assert.equal(await ask(), 206);
      for (const { socket } of crowded) socket.destroy();
      await until('their places are free', () => server.stats.openConnections <= 21);
      crowd(outer!, 5);
      await until('and can be taken again', () => server.stats.openConnections >= 25);
    },
  );

for (const engine of ENGINES)
  test(`a client has at most the requests under way that it may have: ${engine}`, needsOuter, async () => {
    const { server, film, crowd } = await boundedEdge(engine, { requests: 3 });
    film.available = 0;
    const crowded = crowd(outer!, 6);
    for (const { socket } of crowded) socket.write(G);
    await until('three are refused', () => server.stats.requests.none[429] === 3);
    await until(
      'told',
      () => crowded.filter(({ text }) => /^HTTP\/1\.1 429 .*\r\nRetry-After: 1\r\n/s.test(text())).length === 3,
    );
    film.available = Infinity;
  });

for (const engine of ENGINES)
  test(
    `only as long as a quarter of the places is free a client may have more than its share: ${engine}`,
    needsOuter,
    async () => {
      const { server, crowd } = await boundedEdge(engine, { connections: 40 });
      crowd('127.0.0.1', 10);
      await until('ten', () => server.stats.openConnections === 10);
      crowd(outer!, 20);
      await until('up to three quarters anybody may come', () => server.stats.openConnections === 30);
      // Alone, the client may have all: its even share is the whole port.
      crowd(outer!, 5);
      await until('a balancer is not hit', () => server.stats.openConnections === 35);
      assert.equal(server.stats.requests.none[503] ?? 0, 0);
    },
  );

for (const engine of ENGINES)
  test(`while places are scarce each client has an even share, whoever came first: ${engine}`, async () => {
    const { server, crowd } = await boundedEdge(engine, { connections: 40, loopback: true });
    // Node leaves nobody to the system who would come when others go.
    const first = crowd('127.0.0.2', engine === 'uws' ? 45 : 40);
    await until('alone it has all places', () => server.stats.openConnections === 40);
    for (const { socket } of first.slice(0, engine === 'uws' ? 15 : 10)) socket.destroy();
    await until('some go, and those that waited come', () => server.stats.openConnections === 30);
    const refused = () => server.stats.requests.none[503] ?? 0;
    const before = refused();
    crowd('127.0.0.3', 5);
    await until('another one finds places', () => server.stats.openConnections === 35);
    assert.equal(refused(), before);
    crowd('127.0.0.2', 3);
    await until('the first has more than its share', () => refused() === before + 3);
    crowd('127.0.0.4', 2);
    await until('a third one has its own', () => server.stats.openConnections === 37);
    assert.equal(refused(), before + 3);
  });

for (const engine of ENGINES)
  test(`the access log has what is refused before it is read, with client and status: ${engine}`, async () => {
    const entries: AccessEntry[] = [];
    const { crowd } = await boundedEdge(
      engine,
      { perClient: 2, loopback: true },
      { accessLog: entry => void entries.push(entry) },
    );
    const [wrong] = crowd('127.0.0.2', 1);
    wrong!.socket.write('GET /film.mp4\r\n\r\n');
    await until('a wrong request is told', () => entries.length === 1);
    crowd('127.0.0.3', 4);
    await until('and connections too many', () => entries.length === 3);
    assert.deepEqual(
      entries.map(({ client, status, end }) => ({ client, status, end })),
      [
        { client: '127.0.0.2', status: 400, end: 'cut' },
        { client: '127.0.0.3', status: 503, end: 'cut' },
        { client: '127.0.0.3', status: 503, end: 'cut' },
      ],
    );
    for (const { time } of entries) assert.ok(Math.abs(Date.now() - time) < 10_000);
  });

// Node gives connections that it has no place for an answer, too, where the gate leaves them to the system.
test('at the limit accepting pauses without spinning, those who are connected are served, and it goes on', async () => {
  const { server, gate, crowd, port } = await boundedEdge('uws', { connections: 10 });
  const before = gate.pauses;
  const kept = await RawConnection.open(port);
  assert.equal((await kept.send(G).answer()).status, 206);
  const crowded = crowd('127.0.0.1', 50);
  await until('accepting pauses', () => gate.pauses === before + 1);
  const cpu = process.cpuUsage();
  await new Promise(resolve => setTimeout(resolve, 300));
  const { user, system } = process.cpuUsage(cpu);
  assert.ok(user + system < 150_000, `${user + system} µs of CPU while accepting pauses`);
  assert.equal(server.stats.openConnections, 10);
  assert.equal((await kept.send(G).answer()).status, 206);
  for (const { socket } of crowded.slice(0, 45)) socket.destroy();
  const late = await RawConnection.open(port);
  assert.equal((await late.send(G).answer()).status, 206);
  for (const { socket } of [kept, late]) socket.destroy();
});

test('a flood of pipelined requests on many connections makes others wait for a turn, not for all', async () => {
  const { port } = await boundedEdge('uws', {});
  const flood = spawn(process.execPath, ['-e', FLOOD, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => flood.kill());
  await once(flood.stdout, 'data');
  const other = await RawConnection.open(port);
  const times: number[] = [];
  for (let round = 0; round < 40; round++) {
    const start = process.cpuUsage();
    assert.equal((await other.send(G).answer()).status, 206);
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  flood.kill();
  other.socket.destroy();
  times.sort((a, b) => a - b);
  // What the flood takes of the loop before the other one's turn: CPU time, which other programs have no part in. The
  // clients of the test are in it, too.
  assert.ok(times[20]! < 150, `half of the requests came after ${times[20]} ms of work`);
});

for (const engine of ENGINES)
  test(`whoever pipelines requests and reads no answer has no more of them answered, and costs no memory: ${engine}`, async () => {
    const { port, server, content } = await boundedEdge(engine, { unsentBytes: 16_384 });
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    // Answers of several KiB, so that they fill what the kernel takes soon.
    const request = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-8191\r\n\r\n';
    // Of more than 512 that come at once Node answers no more.
    const count = engine === 'uws' ? 4000 : 500;
    socket.write(Buffer.from(request.repeat(count)));
    let last = -1;
    await until('the server waits for its client', async () => {
      const before = last;
      await new Promise(resolve => setTimeout(resolve, 200));
      last = content.requests.length;
      return last === before && last > 0;
    });
    assert.ok(last < count, `${last} requests were answered to nobody`);
    assert.ok(server.stats.openResponses <= 1);
    let received = 0;
    socket.on('data', chunk => {
      received += chunk.length;
    });
    socket.resume();
    await until('all are answered when it reads', () => content.requests.length === count && received > count * 8192);
    socket.destroy();
  });

test('places leave a reserve for misses, and few descriptors are said to be few', () => {
  const limits = { connections: 'auto', requests: 'none', loopback: false } as const;
  const few = portBounds(256, 256, limits);
  assert.ok(few.bounds.connections <= 192 && few.bounds.connections > 60);
  assert.ok(few.wanted > 8192);
  const many = portBounds(1_048_576, 256, limits);
  assert.ok(many.bounds.connections > 1_000_000);
  assert.ok(many.wanted < 1_048_576);
  assert.equal(portBounds(20, 256, limits).bounds.connections, 1);
  assert.deepEqual(
    [portBounds(4096, 1, { connections: 7, requests: 9, loopback: true }).bounds].map(b => [b.perClient, b.requests]),
    [[7, 9]],
  );
});
