import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { fetchFromEdge } from '../../../../src/admin/edge-fetch.js';
import { native } from '../../../../src/base/native.js';
import { ClientAddresses } from '../../../../src/http/client-address.js';
import type { NodeFrontEndOptions } from '../../../../src/http/node/node-front-end.js';
import type { AccessEntry } from '../../../../src/observe/access-entry.js';
import { selfSigned } from '../../../support/certificate.js';
import { contentAt } from '../../../support/content.js';
import { FakeObject } from '../../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../../support/http-edge.js';
import { RawConnection } from '../../../support/raw-http.js';
import { until } from '../../../support/until.js';

const run = promisify(execFile);
const bytes = contentAt('/film.mp4', 'v1', 0, 3_000_000);
const folder = mkdtempSync(join(tmpdir(), 'moovedge-node-'));
const entries: AccessEntry[] = [];

/** Writes a certificate for a name; its files. */
function certificate(name: string) {
  const { cert, key } = selfSigned([name]);
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return { ...files, pem: cert, keyPem: key };
}

const first = certificate('first.test');
const second = certificate('second.test');
const film = new FakeObject(bytes, { etag: '"film"' });
let edge: Awaited<ReturnType<typeof startEdge>>;
const listen = (options: Partial<NodeFrontEndOptions>) =>
  edge.server.listen('127.0.0.1', 0, listening('node', options));

before(async () => {
  edge = await startEdge({ accessLog: entry => void entries.push(entry) }, listening('node'));
  edge.content.paths.set('/film.mp4', film);
});
after(() => {
  edge.server.close();
  rmSync(folder, { recursive: true });
});

/** Reads a stream of HTTP/2 to its end: status, and body. */
async function read(stream: ClientHttp2Stream): Promise<{ status: number; body: Buffer }> {
  const chunks: Buffer[] = [];
  stream.on('data', chunk => chunks.push(chunk));
  const [headers] = await once(stream, 'response');
  if (!stream.readableEnded) await once(stream, 'end');
  return { status: headers[':status'], body: Buffer.concat(chunks) };
}

describe('HTTP/2', () => {
  let port = 0;
  const sessions: ClientHttp2Session[] = [];
  const open = (options = {}) => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
    session.on('error', () => {});
    sessions.push(session);
    return session;
  };
  before(async () => {
    port = await listen({ tls: first, http2: true });
  });
  after(() => {
    for (const session of sessions) session.destroy();
  });

  it('is what curl gets that asks for it, with the same answers as HTTP/1.1', async () => {
    const ask = async (...more: string[]) => {
      const format = '%{http_version} %{http_code} %{size_download}';
      const url = `https://127.0.0.1:${port}/film.mp4`;
      return (await run('curl', ['-sk', '-o', '/dev/null', '-w', format, ...more, url])).stdout;
    };
    assert.equal(await ask('--http2'), '2 200 3000000');
    assert.equal(await ask('--http1.1'), '1.1 200 3000000');
    assert.equal(await ask('--http1.0'), '1.1 200 3000000', 'curl asks for http/1.0 by ALPN');
    assert.equal(await ask('--no-alpn'), '1.1 200 3000000');
    assert.equal(await ask('--http2', '-r', '5-14'), '2 206 10');
    assert.equal(await ask('--http2', '-I'), '2 200 0');
    assert.equal(await ask('--http2', '-H', 'If-None-Match: "film"'), '2 304 0');
    assert.equal(await ask('--http2', '-r', '9999999-'), '2 416 69');
    assert.equal(await ask('--http2', '-X', 'POST'), '2 405 53');
    const { stdout } = await run('curl', ['-sk', '--http2', `https://127.0.0.1:${port}/film.mp4`], {
      encoding: 'buffer',
      maxBuffer: 8 << 20,
    });
    assert.ok(stdout.equals(bytes));
    assert.equal(edge.server.stats.openResponses, 0);
  });

  it('answers many streams of a connection, each with its bytes', async () => {
    const session = open();
    const answers = Array.from({ length: 100 }, (_, at) =>
      read(session.request({ ':path': '/film.mp4', range: `bytes=${at * 1000}-${at * 1000 + 99_999}` })),
    );
    for (const [at, { status, body }] of (await Promise.all(answers)).entries()) {
      assert.equal(status, 206);
      assert.ok(body.equals(bytes.subarray(at * 1000, at * 1000 + 100_000)), String(at));
    }
  });

  it('holds little of what a client does not read, and goes on when it does', async () => {
    const session = open({ settings: { initialWindowSize: 1024 } });
    const streams = Array.from({ length: 50 }, () => session.request({ ':path': '/film.mp4' }));
    for (const stream of streams) stream.pause();
    const responses = streams.map(stream => once(stream, 'response'));
    const sentBefore = edge.server.stats.responseBytes;
    await until('answers under way', () => edge.server.stats.openResponses === 50);
    await Promise.all(responses);
    // What was given to Node is what is counted as sent.
    assert.ok(edge.server.stats.responseBytes - sentBefore <= 512 * 1024 + 50 * 64 * 1024);
    for (const stream of streams.slice(1)) stream.close(constants.NGHTTP2_CANCEL);
    let received = 0;
    streams[0]!.on('data', chunk => {
      received += chunk.length;
    });
    streams[0]!.resume();
    await until('the whole film', () => received === bytes.length);
    await until('the end of the others', () => edge.server.stats.openResponses === 0);
    assert.equal(film.readers.size, 0);
    assert.deepEqual(film.faults, []);
  });

  it('ends a connection that takes back what it asks for, hundreds of times at once', async () => {
    const session = open();
    const closed = new Promise(resolve => session.once('close', resolve));
    let asked = 0;
    const ask = () => {
      for (let at = 0; at < 50 && !session.destroyed && !session.closed; at++, asked++) {
        const stream = session.request({ ':path': '/film.mp4' });
        stream.on('error', () => {});
        // Once it has been sent: what is taken back before costs the server nothing.
        setImmediate(() => setImmediate(() => stream.close(constants.NGHTTP2_CANCEL)));
      }
      if (!session.destroyed) setImmediate(() => setImmediate(() => setImmediate(ask)));
    };
    session.once('connect', ask);
    await closed;
    assert.ok(asked < 5000, `${asked} requests`);
    await until('nothing under way', () => edge.server.stats.openResponses === 0);
  });
});

describe('a listener of Node', () => {
  let port = 0;
  before(async () => {
    port = await listen({});
  });

  it('answers pipelined requests in order, and each when the one before it has been taken', async () => {
    const connection = await RawConnection.open(port);
    const ask = (at: number) => `GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=${at}-${at}\r\n\r\n`;
    connection.send(Array.from({ length: 300 }, (_, at) => ask(at)).join(''));
    for (let at = 0; at < 300; at++) {
      const { status, body } = await connection.answer();
      assert.deepEqual([status, body[0]], [206, bytes[at]]);
    }
    connection.socket.destroy();
  });

  it('takes the forms of old and of proxies, and refuses what could be read in two ways', async () => {
    const ask = async (text: string) => {
      const connection = await RawConnection.open(port);
      connection.send(text);
      const received = await connection.rest();
      return received.toString('latin1').slice(9, 12);
    };
    const close = 'Connection: close\r\n';
    const cases: [text: string, status: string][] = [
      ['GET /film.mp4 HTTP/1.0\r\n\r\n', '200'],
      ['GET http://b/film.mp4 HTTP/1.0\r\n\r\n', '200'],
      [`GET http://b/film.mp4 HTTP/1.1\r\nHost: a\r\n${close}\r\n`, '200'],
      [`OPTIONS * HTTP/1.1\r\nHost: a\r\n${close}\r\n`, '204'],
      [`GET * HTTP/1.1\r\nHost: a\r\n\r\n`, '400'],
      ['GET /film.mp4 HTTP/1.1\r\n\r\n', '400'],
      ['GET /film.mp4 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', '400'],
      ['GET /film.mp4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
      ['GET /film.mp4 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400'],
      ['GET /film.mp4 HTTP/1.1\r\nHost : a\r\n\r\n', '400'],
      ['GET /film.mp4 HTTP/1.1\r\nHost: a/b\r\n\r\n', '400'],
      ['GET /a/../film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', '400'],
      ['GET /film.mp4%00 HTTP/1.1\r\nHost: a\r\n\r\n', '400'],
      [`GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, '414'],
      [`GET /film.mp4 HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
      ['GET /film.mp4 HTTP/3.0\r\nHost: a\r\n\r\n', '505'],
      ['CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n', '405'],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505'],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '400'],
    ];
    for (const [text, status] of cases) assert.equal(await ask(text), status, text.slice(0, 60));
    assert.equal(edge.server.stats.openResponses, 0);
  });

  it('holds little for a client that does not read, and cuts none that is slow', async () => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.pause();
    const before = edge.server.stats.responseBytes;
    socket.write('GET /film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n');
    const large = new FakeObject(contentAt('/large', 'v1', 0, 30_000_000));
    edge.content.paths.set('/large', large);
    const reader = connectTcp(port, '127.0.0.1');
    reader.pause();
    reader.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('two answers', () => edge.server.stats.openResponses === 2);
    let taken = -1;
    // The kernel has a few MiB of a connection within a machine.
    await until('a full socket', () => {
      const same = edge.server.stats.responseBytes === taken;
      taken = edge.server.stats.responseBytes;
      return same;
    });
    assert.ok(taken - before < 16 << 20, `${taken - before} bytes`);
    let received = 0;
    reader.on('data', chunk => {
      received += chunk.length;
    });
    reader.resume();
    await until('the rest', () => received > 30_000_000);
    socket.destroy();
    reader.destroy();
    await until('no answer', () => edge.server.stats.openResponses === 0);
    assert.deepEqual([...film.faults, ...large.faults], []);
  });

  for (const engine of ENGINES)
    it(`gives each client the certificate for its name, and the first to others: ${engine}`, async () => {
      const tls = { ...first, others: [second] };
      const secure = await edge.server.listen('127.0.0.1', 0, listening(engine, { tls }));
      const seen = async (servername: string) => {
        const socket: TLSSocket = connectTls({
          port: secure,
          host: '127.0.0.1',
          servername,
          rejectUnauthorized: false,
        });
        await once(socket, 'secureConnect');
        const { CN } = socket.getPeerCertificate().subject;
        const { status } = await RawConnection.over(socket)
          .request('GET', '/film.mp4', { Range: 'bytes=0-0' })
          .answer();
        assert.equal(status, 206);
        socket.destroy();
        return CN;
      };
      assert.deepEqual(await Promise.all(['first.test', 'second.test', 'third.test'].map(seen)), [
        'first.test',
        'second.test',
        'first.test',
      ]);
    });

  it('lets in only clients with a certificate of the authority, where it has one', async () => {
    const secure = await listen({ tls: { ...first, ca: second.cert } });
    const ask = async (...more: string[]) => {
      const args = ['-sk', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '60', ...more];
      return run('curl', [...args, `https://127.0.0.1:${secure}/film.mp4`]).then(
        ({ stdout }) => stdout,
        () => 'refused',
      );
    };
    assert.equal(await ask(), 'refused');
    assert.equal(await ask('--cert', first.cert, '--key', first.key), 'refused');
    assert.equal(await ask('--cert', second.cert, '--key', second.key), '200');
  });

  it('believes the PROXY protocol of trusted proxies, in pieces and before TLS too, and nobody else’s', async () => {
    const clients = new ClientAddresses(['127.0.0.1']);
    const plain = await listen({ proxyProtocol: true, clients });
    const secure = await listen({ proxyProtocol: true, clients, tls: first });
    const stranger = await listen({ proxyProtocol: true, clients: new ClientAddresses(['10.0.0.0/8']) });
    const header = 'PROXY TCP4 203.0.113.5 10.0.0.1 4711 80\r\n';
    const request = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n';
    const ask = async (port: number, ...pieces: string[]) => {
      const connection = await RawConnection.open(port);
      for (const piece of pieces) {
        connection.send(piece);
        await new Promise(setImmediate);
      }
      return (await connection.rest()).toString('latin1').slice(9, 12);
    };
    const from = entries.length;
    assert.equal(await ask(plain, header + request), '206');
    assert.equal(await ask(plain, header.slice(0, 9), header.slice(9) + request.slice(0, 3), request.slice(3)), '206');
    assert.equal(await ask(plain, request), '');
    assert.equal(await ask(stranger, header + request), '400');
    const told = await run('curl', [
      '-sk',
      '--haproxy-protocol',
      `https://127.0.0.1:${secure}/film.mp4`,
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
    ]);
    assert.equal(told.stdout, '200');
    await until('entries', () => entries.length >= from + 5);
    // The edge itself, by a header of its own.
    for (const [scheme, port] of [
      ['http', plain],
      ['https', secure],
    ] as const) {
      const at = { scheme, host: '127.0.0.1', port, key: '', preface: 'PROXY UNKNOWN\r\n' };
      const sink = { length() {}, bytes() {} };
      const url = { host: undefined, path: '/film.mp4', query: '' };
      assert.equal(await fetchFromEdge(at, url, sink, new AbortController().signal), 'ok');
    }
    assert.deepEqual(
      entries.slice(from, from + 5).map(({ client, status }) => [client, status]),
      [
        ['203.0.113.5', 206],
        ['203.0.113.5', 206],
        ['127.0.0.1', 400],
        ['127.0.0.1', 400],
        ['127.0.0.1', 200],
      ],
    );
  });

  it('listens at a Unix socket that is there already, and in the place of one that is dead', async () => {
    const path = join(folder, 'http.sock');
    const sockets = [0o660, 0o600].map(mode => native.openUnixListener(path, mode));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    for (const descriptor of sockets) await listen({ descriptor });
    const ask = ['-s', '--unix-socket', path, '-o', '/dev/null', '-w', '%{http_code}', 'http://a/film.mp4'];
    assert.equal((await run('curl', ask)).stdout, '200');
    assert.throws(() => native.openUnixListener(join(folder, 'a'.repeat(120)), 0o600), /long/);
    assert.throws(() => native.openUnixListener(join(folder, 'none', 'x'), 0o600), /No such file/);
  });

  it('lets answers end when it drains', async () => {
    const { server, content, port } = await startEdge({}, listening('node', { tls: first, http2: true }));
    const paused = new FakeObject(bytes);
    paused.available = 100_000;
    content.paths.set('/paused', paused);
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/paused' });
    const answer = read(stream);
    await until('an answer', () => server.stats.openResponses === 1);
    const drained = server.drain({ grace: 60_000, idle: 0 });
    await once(session, 'goaway');
    paused.available = bytes.length;
    assert.ok((await answer).body.equals(bytes));
    assert.equal(await drained, true);
    session.destroy();
  });
});
