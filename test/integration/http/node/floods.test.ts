import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { selfSigned } from '../../../support/certificate.js';
import { contentAt } from '../../../support/content.js';
import { FakeObject } from '../../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../../support/http-edge.js';
import { RawConnection } from '../../../support/raw-http.js';
import { asking, END_HEADERS, END_STREAM, FRAME, fieldBlock, frame, RawHttp2 } from '../../../support/raw-http2.js';
import { until } from '../../../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'moovedge-floods-'));
const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
const { cert, key } = selfSigned(['a']);
writeFileSync(tls.cert, cert);
writeFileSync(tls.key, key);

const bytes = contentAt('/film.mp4', 'v1', 0, 3_000_000);
const film = new FakeObject(bytes);
/** Far more than any client needs that asks for nothing. */
const MOST = 64 << 20;
const edge = await startEdge({}, listening('node', { tls, http2: true }));
edge.content.paths.set('/film.mp4', film);
const hasty = { head: 1000, idle: 2000, streams: 100 };
const impatient = await edge.server.listen('127.0.0.1', 0, listening('node', { tls, http2: true, limits: hasty }));
after(() => {
  rmSync(folder, { recursive: true });
});

const many = (one: Buffer) => Buffer.concat(Array.from({ length: 500 }, () => one));
const eight = Buffer.alloc(8);
const ask = (stream: number, flags: number, more: Uint8Array = Buffer.alloc(0)) =>
  frame(FRAME.headers, flags, stream, Buffer.concat([asking('/film.mp4'), more]));
const large = fieldBlock([['x', 'y'.repeat(1000)]]);
/** The newest line of the table, which is a large one, thousands of times. */
const bomb = Buffer.alloc(15_000, 0x80 | 62);
const planted = fieldBlock([['x', 'y'.repeat(4000)]], true);

const FLOODS: readonly (readonly [name: string, make: (round: number) => Buffer])[] = [
  ['pings', () => many(frame(FRAME.ping, 0, 0, eight))],
  ['settings', () => many(frame(FRAME.settings, 0, 0))],
  ['windows', () => many(frame(FRAME.window, 0, 0, Buffer.from([0, 0, 0, 1])))],
  ['priorities', () => many(frame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 3, 16])))],
  ['frames that nobody knows', () => many(frame(FRAME.unknown, 0, 0))],
  [
    'continuations (CVE-2024-27983)',
    round => (round === 0 ? ask(1, END_STREAM) : many(frame(FRAME.continuation, 0, 1, large))),
  ],
  ['empty continuations', round => (round === 0 ? ask(1, END_STREAM) : many(frame(FRAME.continuation, 0, 1)))],
  ['empty content', round => (round === 0 ? ask(1, END_HEADERS) : many(frame(FRAME.data, 0, 1)))],
  [
    'heads that are large once they are unpacked',
    round => ask(2 * round + 1, END_STREAM | END_HEADERS, round === 0 ? planted : bomb),
  ],
  [
    'requests that are taken back (CVE-2023-44487)',
    round =>
      Buffer.concat(
        Array.from({ length: 50 }, (_, at) => 2 * (round * 50 + at) + 1).flatMap(stream => [
          ask(stream, END_STREAM | END_HEADERS),
          frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8])),
        ]),
      ),
  ],
];

describe('a connection of HTTP/2', () => {
  for (const [name, make] of FLOODS) {
    it(`is closed that is flooded with ${name}, and costs no memory`, async () => {
      const memory = process.memoryUsage.rss();
      const connection = await RawHttp2.open(edge.port);
      await connection.flood(make, MOST);
      await connection.closed;
      await until('no connection', () => edge.server.stats.openConnections === 0);
      assert.equal(edge.server.stats.openResponses, 0);
      assert.equal(film.readers.size, 0);
      // The client is in this process, too.
      assert.ok(process.memoryUsage.rss() - memory < 256 << 20);
    });
  }

  it('is closed when its client sends nonsense, goes away, or says nothing, with and without a request', async () => {
    const nonsense = await RawHttp2.open(impatient);
    nonsense.socket.write(Buffer.alloc(100_000, 'A'));
    const silent = await RawHttp2.open(impatient);
    // With windows of nothing its answer never comes, and it answers no ping.
    const asks = await RawHttp2.open(impatient, Buffer.from([0, 4, 0, 0, 0, 0]));
    asks.socket.write(ask(1, END_STREAM | END_HEADERS));
    const gone = await RawHttp2.open(edge.port);
    gone.socket.end();
    await Promise.all([nonsense.closed, silent.closed, asks.closed, gone.closed]);
    await until('no connection', () => edge.server.stats.openConnections === 0);
    assert.equal(edge.server.stats.openResponses, 0);
    assert.deepEqual(film.faults, []);
  });

  it('is closed when its handshake does not end', async () => {
    const { server, port } = await startEdge(
      {},
      listening('node', { tls, limits: { head: 500, idle: 500, streams: 1 } }),
    );
    const socket = connect(port, '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
    await until('no connection', () => server.stats.openConnections === 0);
  });
});

for (const engine of ENGINES) {
  it(`whoever begins and does not come to an end is not waited for: over ${engine}`, async () => {
    const limits = { head: 1000, idle: 60_000, streams: 1 };
    const { server, content, port } = await startEdge({}, listening(engine, { limits }));
    content.paths.set('/film.mp4', film);
    const secure = await server.listen('127.0.0.1', 0, listening(engine, { limits, tls }));
    const handshake = connect(secure, '127.0.0.1');
    const connections = [
      await RawConnection.open(port),
      RawConnection.over(connectTls({ port: secure, host: '127.0.0.1', rejectUnauthorized: false })),
    ];
    for (const connection of connections) {
      // The first head has its own time.
      assert.equal((await connection.request('GET', '/film.mp4', { Range: 'bytes=0-0' }).answer()).status, 206);
      connection.send('GET /film.mp4 HTTP/1.1\r\n');
    }
    const empty = await RawConnection.open(port);
    const dribbles = setInterval(() => {
      for (const connection of connections) connection.send('X: y\r\n');
      empty.send('\r\n');
    }, 300);
    handshake.resume();
    const ends = await Promise.all([...connections, empty].map(connection => connection.rest())).finally(() =>
      clearInterval(dribbles),
    );
    for (const end of ends) assert.match(end.toString('latin1'), /^(HTTP\/1.1 408 .*)?$/s);
    await until('no connection', () => server.stats.openConnections === 0);
  });
}
