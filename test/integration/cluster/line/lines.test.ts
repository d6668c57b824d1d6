import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { Lines, type LinesOptions } from '../../../../src/cluster/peer/line/lines.js';
import type { TransportExchange } from '../../../../src/origin/http/transport.js';
import { until } from '../../../support/until.js';

const OPTIONS: LinesOptions = { connections: 2, connectTimeout: 5000, keepAlive: 60_000 };

let close: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of close) await each();
  close = [];
});

/** A server that answers the n-th request, of all connections, with `answer(n)`; and lines to it. */
async function make(answer: (request: number, socket: Socket) => void, options: Partial<LinesOptions> = {}) {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const server: Server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', data => {
      requests.push(data.toString('latin1'));
      answer(requests.length, socket);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const lines = new Lines({ ...OPTIONS, ...options });
  close.push(async () => {
    await lines.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let opened = 0;
  server.on('connection', () => opened++);
  return { lines, origin, requests, sockets, opened: () => opened };
}

/** Takes an answer. */
class Taker {
  status = 0;
  readonly chunks: Buffer[] = [];
  isEnded = false;
  failure: string | undefined;
  reused: boolean | undefined;
  onBytes: () => void = () => {};

  sent(reused: boolean): void {
    this.reused = reused;
  }

  answered(status: number): void {
    this.status = status;
  }

  bytes(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
    this.onBytes();
  }

  ended(): void {
    this.isEnded = true;
  }

  failed(kind: string): void {
    this.failure = kind;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  over(): Promise<unknown> {
    return until('the answer to end', () => this.isEnded || this.failure !== undefined);
  }
}

const whole = (body: Buffer | string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test('requests go over one connection, one after another', async () => {
  const { lines, origin, requests, opened } = await make((n, socket) => socket.write(whole(`answer ${n}`)));
  for (let n = 1; n <= 3; n++) {
    const taker = new Taker();
    lines.send(origin, '/a?b', { range: 'bytes=0-1' }, taker);
    await taker.over();
    assert.equal(taker.body.toString(), `answer ${n}`);
    assert.equal(taker.reused, n > 1);
  }
  assert.equal(opened(), 1);
  assert.match(requests[0]!, /^GET \/a\?b HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nrange: bytes=0-1\r\n\r\n$/);
});

test('beyond the most connections requests wait, and those that are cancelled are not sent', async () => {
  const held: Socket[] = [];
  const { lines, origin, requests, opened } = await make((_n, socket) => held.push(socket));
  const takers = Array.from({ length: 4 }, () => new Taker());
  const exchanges = takers.map(taker => lines.send(origin, '/', {}, taker));
  await until('two to be asked', () => requests.length === 2);
  exchanges[2]!.cancel();
  for (const socket of held) socket.write(whole('x'));
  await until('the last to be asked', () => requests.length === 3);
  held[2]!.write(whole('y'));
  await Promise.all([0, 1, 3].map(at => takers[at]!.over()));
  assert.deepEqual(
    takers.map(({ body }) => body.toString()),
    ['x', 'x', '', 'y'],
  );
  assert.equal(opened(), 2);
});

test('who takes pauses over a chunk: it stays, and nothing more is read until it goes on', async () => {
  const SIZE = 64 * 1024 * 1024;
  const { lines, origin, sockets } = await make((_n, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
    for (let at = 0; at < 64; at++) socket.write(Buffer.alloc(SIZE / 64, at));
  });
  const taker = new Taker();
  let exchange: TransportExchange | undefined;
  let kept: Uint8Array | undefined;
  let copy: Buffer | undefined;
  taker.bytes = function (chunk) {
    this.chunks.push(Buffer.alloc(chunk.length));
    if (kept !== undefined) return;
    kept = chunk;
    copy = Buffer.from(chunk);
    exchange!.pause();
  };
  exchange = lines.send(origin, '/', {}, taker);
  await until('the first chunk', () => kept !== undefined);
  const [socket] = sockets;
  // What the sockets of both sides buffer is less than that, so most is still to be written.
  await until('the other side to stop', () => socket!.writableLength > SIZE / 4 && socket!.writableNeedDrain);
  assert.equal(taker.chunks.length, 1);
  assert.deepEqual(Buffer.from(kept!), copy);
  exchange.resume();
  await taker.over();
  assert.equal(
    taker.chunks.reduce((sum, { length }) => sum + length, 0),
    SIZE,
  );
});

test('a chunked body, whose chunks come in any pieces, and a pause after each of them', async () => {
  const coded = Buffer.from('3\r\nabc\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n');
  const { lines, origin } = await make((_n, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(coded);
  });
  const taker = new Taker();
  const exchange = lines.send(origin, '/', {}, taker);
  taker.onBytes = () => {
    exchange.pause();
    setImmediate(() => exchange.resume());
  };
  await taker.over();
  assert.equal(taker.body.toString(), 'abc0123456789abcdefx');
  const next = new Taker();
  lines.send(origin, '/', {}, next);
  await next.over();
  assert.equal(next.reused, true);
});

for (const [name, answer, failure] of [
  ['no head', 'SSH-2.0-x\r\n\r\n', 'protocol'],
  ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`, 'protocol'],
  ['chunks that make no sense', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'reset'],
] as const) {
  test(`an answer of ${name} fails, and its connection is not used again`, async () => {
    const { lines, origin, opened } = await make((n, socket) => socket.write(n === 1 ? answer : whole('x')));
    const taker = new Taker();
    lines.send(origin, '/', {}, taker);
    await taker.over();
    assert.equal(taker.failure, failure);
    const next = new Taker();
    lines.send(origin, '/', {}, next);
    await next.over();
    assert.equal(next.body.toString(), 'x');
    assert.equal(opened(), 2);
  });
}

test('what follows an answer unasked ends the connection', async () => {
  const { lines, origin, opened } = await make((_n, socket) => socket.write(`${whole('x')}HTTP/1.1 200 OK\r\n`));
  for (let n = 0; n < 2; n++) {
    const taker = new Taker();
    lines.send(origin, '/', {}, taker);
    await taker.over();
    assert.equal(taker.body.toString(), 'x');
  }
  assert.equal(opened(), 2);
});

test('an answer that breaks off fails with what came, and one that is cancelled is heard of no more', async () => {
  const { lines, origin, sockets } = await make((n, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc`);
    if (n === 1) socket.end();
  });
  const broken = new Taker();
  lines.send(origin, '/', {}, broken);
  await broken.over();
  assert.deepEqual([broken.body.toString(), broken.failure, broken.isEnded], ['abc', 'reset', false]);
  const cancelled = new Taker();
  const exchange = lines.send(origin, '/', {}, cancelled);
  cancelled.onBytes = () => exchange.cancel();
  await until('the connection to end', () => cancelled.chunks.length > 0 && sockets.size === 0);
  assert.equal(cancelled.failure, undefined);
});

test('nobody there, and a request that can not be written', async () => {
  const { lines, origin } = await make((_n, socket) => socket.write(whole('')));
  const nobody = new Taker();
  lines.send('http://127.0.0.1:1', '/', {}, nobody);
  await nobody.over();
  assert.equal(nobody.failure, 'connect');
  for (const [target, fields] of [
    ['/a b', {}],
    ['/', { x: 'a\r\nb: c' }],
    ['/', { 'a b': 'c' }],
  ] as const) {
    const taker = new Taker();
    lines.send(origin, target, fields as never, taker);
    await taker.over();
    assert.equal(taker.failure, 'invalid');
  }
});

test('an answer to HEAD has no body, whatever it says; what is drained keeps its connection', async () => {
  const { lines, origin, opened } = await make((n, socket) =>
    socket.write(n === 1 ? 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n' : whole('x'.repeat(1000))),
  );
  const head = new Taker();
  lines.ask('HEAD', origin, '/', {}, head);
  await head.over();
  assert.equal(head.isEnded, true);
  const drained = new Taker();
  const exchange = lines.send(origin, '/', {}, drained);
  drained.answered = () => exchange.drain(10_000, 10_000);
  const next = new Taker();
  await until('the line to be free', () => {
    if (drained.reused === undefined) return false;
    if (next.reused === undefined) lines.send(origin, '/', {}, next);
    return true;
  });
  await next.over();
  assert.equal(drained.chunks.length, 0);
  assert.ok(opened() <= 2);
});
