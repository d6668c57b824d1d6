import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { certificateFiles } from '../../support/certificate.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { type Engine, listening, startEdge } from '../../support/http-edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const certificate = certificateFiles();
const bytes = contentAt('/film.mp4', 'v1', 0, 700_000);
const G = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n\r\n';

/** What Node's parser sees otherwise: it takes two blanks for one, and tells a wrong version from a wrong line. */
const AS_NODE: Readonly<Record<string, number | undefined>> = {
  'two blanks before the version': undefined,
  'a version of three digits': 505,
};

interface Kind {
  readonly port: string;
  readonly engine: Engine;
  readonly secure: boolean;
}

const PLAIN: Kind = { port: 'a plain port', engine: 'uws', secure: false };
const KINDS: readonly Kind[] = [
  PLAIN,
  { port: 'a port that speaks TLS', engine: 'uws', secure: true },
  { port: 'a plain port of Node', engine: 'node', secure: false },
];

async function filmEdge({ engine, secure }: Kind = PLAIN) {
  const edge = await startEdge({}, listening(engine, secure ? { tls: certificate.files } : {}));
  const film = new FakeObject(bytes);
  edge.content.paths.set('/film.mp4', film);
  const open = () => (secure ? RawConnection.openSecurely(edge.port, certificate.cert) : RawConnection.open(edge.port));
  return { ...edge, film, connect: open };
}

/** Statuses of all that comes until the edge closes. */
async function statuses(connection: RawConnection): Promise<number[]> {
  const text = (await connection.rest()).toString('latin1');
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** How the bytes of a test are cut into segments. */
const WAYS = ['at once', 'byte by byte', 'behind another request'] as const;

async function sendInWay(connection: RawConnection, way: (typeof WAYS)[number], text: string): Promise<void> {
  connection.socket.setNoDelay(true);
  if (way === 'behind another request') {
    connection.send(G);
    assert.equal((await connection.answer()).status, 206);
  }
  if (way !== 'byte by byte') {
    connection.send(text);
    return;
  }
  for (const character of text) {
    connection.send(character);
    await new Promise(setImmediate);
  }
}

const field = (line: string) => `GET /film.mp4 HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;

/** Heads that are refused, each followed by a request that must not be answered. */
const REFUSED: Readonly<Record<string, readonly [text: string, status: number]>> = {
  'Content-Length twice, different': [field('Content-Length: 0\r\nContent-Length: 60'), 400],
  'Content-Length twice, the same': [field('Content-Length: 60\r\nContent-Length: 60'), 400],
  'Content-Length as a list': [field('Content-Length: 60, 60'), 400],
  'Content-Length with a sign': [field('Content-Length: +60'), 400],
  'Content-Length in hex': [field('Content-Length: 0x3c'), 400],
  'Content-Length that is empty': [field('Content-Length:'), 400],
  'both framings': [field('Content-Length: 60\r\nTransfer-Encoding: chunked'), 400],
  'chunked twice': [field('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 400],
  'chunked with a tab': [field('Transfer-Encoding:\tchunked'), 400],
  'a coding that is none': [field('Transfer-Encoding: identity'), 400],
  'a field without a name': [field(': x\r\nContent-Length: 60'), 400],
  'a blank before the colon': [field('Content-Length : 60'), 400],
  'a tab before the colon': [field('Content-Length\t: 60'), 400],
  'a line without a colon': [field('Content-Length'), 400],
  'a folded line': [field('X: a\r\n b'), 400],
  'a first field that is folded': ['GET /film.mp4 HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  'a bare line feed': [field('X: a\nContent-Length: 60'), 400],
  'a bare carriage return': [field('X: a\rContent-Length: 60'), 400],
  'a NUL in a value': [field('X: a\0b'), 400],
  'a DEL in a value': [field('X: a\x7fb'), 400],
  'a name with an at sign': [field('X@Y: a'), 400],
  'two hosts': [field('Host: b'), 400],
  'no host': ['GET /film.mp4 HTTP/1.1\r\n\r\n', 400],
  'a blank in the host': [G.replace('Host: a', 'Host: a b'), 400],
  'a comma in the host': [G.replace('Host: a', 'Host: a, b'), 400],
  'a path in the host': [G.replace('Host: a', 'Host: a/b'), 400],
  'a user in the host': [G.replace('Host: a', 'Host: u@a'), 400],
  'a port that is no number': [G.replace('Host: a', 'Host: a:b'), 400],
  'a port of six digits': [G.replace('Host: a', 'Host: a:123456'), 400],
  'a host that is too long': [G.replace('Host: a', `Host: ${'a'.repeat(256)}`), 400],
  'a host in octets beyond ASCII': [G.replace('Host: a', 'Host: \xc3\xa4'), 400],
  'an address without an end': [G.replace('Host: a', 'Host: [::1'), 400],
  'an address of other letters': [G.replace('Host: a', 'Host: [::g]'), 400],
  'no host name in the target': [G.replace('/film.mp4', 'http://a,b/film.mp4'), 400],
  'a dot segment': [G.replace('/film.mp4', '/a/../film.mp4'), 400],
  'an escaped control': [G.replace('/film.mp4', '/film.mp4%00'), 400],
  'a backslash in the path': [G.replace('/film.mp4', '/a\\film.mp4'), 400],
  'a fragment in the query': [G.replace('/film.mp4', '/film.mp4?a#b'), 400],
  'a query of octets that are no UTF-8': [G.replace('/film.mp4', '/film.mp4?a=\xff'), 400],
  'a target that is too long': [G.replace('/film.mp4', `/${'a'.repeat(9000)}`), 414],
  'a blank before the method': [` ${G}`, 400],
  'two blanks before the version': ['GET /film.mp4  HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a tab as separator': ['GET\t/film.mp4\tHTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a blank in the target': ['GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'no version': ['GET /film.mp4\r\n\r\n', 400],
  'a version in lower case': ['GET /film.mp4 http/1.1\r\nHost: a\r\n\r\n', 400],
  'a version of three digits': ['GET /film.mp4 HTTP/1.10\r\nHost: a\r\n\r\n', 400],
  'another major version': ['GET /film.mp4 HTTP/3.0\r\nHost: a\r\n\r\n', 505],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  'a target of no known form': ['GET film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'an asterisk for GET': ['GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a user in the target': ['GET http://u:p@a/film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'no authority in the target': ['GET http:///film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a PROXY header, version 2': ['\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x05\0\x06', 400],
  'a PROXY header, version 1': ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 400],
  'a TLS greeting': ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
};

for (const kind of KINDS) {
  const { port } = kind;
  const shared = filmEdge(kind);

  for (const [name, [text, usual]] of Object.entries(REFUSED)) {
    const status = kind.engine === 'node' && name in AS_NODE ? AS_NODE[name] : usual;
    if (status === undefined) continue;
    test(`refused with ${status}, and nothing behind it is read: ${name}: ${port}`, async () => {
      const { connect, content, server } = await shared;
      for (const way of WAYS) {
        const before = content.requests.length + (way === 'behind another request' ? 1 : 0);
        const counted: number = server.stats.requests.none[status] ?? 0;
        const connection = await connect();
        await sendInWay(connection, way, text + G);
        assert.deepEqual(await statuses(connection), [status], way);
        assert.equal(content.requests.length, before, way);
        assert.equal(server.stats.requests.none[status], counted + 1);
      }
      await until('the connections are gone', () => server.stats.openConnections === 0);
    });
  }

  for (const [method, status] of [
    ['GET', 206],
    ['HEAD', 200],
    ['OPTIONS', 204],
    ['PUT', 405],
    ['CONNECT', 405],
  ] as const) {
    test(`${method} with content is answered, the content never read as a request, and the connection closed: ${port}`, async () => {
      const { connect, server } = await filmEdge(kind);
      for (const way of WAYS) {
        const head = G.replace('GET', method).replace('Host', `Content-Length: ${G.length}\r\nHost`);
        const connection = await connect();
        await sendInWay(connection, way, head + G + G);
        assert.deepEqual(await statuses(connection), [status], way);
      }
      await until('the connections are gone', () => server.stats.openConnections === 0);
      assert.equal(server.stats.abortedResponses, 0);
    });
  }

  test(`an answer is not lost while its client is still sending megabytes: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    const connection = await connect();
    const size = 20_000_000;
    connection.send(`POST /film.mp4 HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    connection.send(Buffer.alloc(size));
    assert.deepEqual(await statuses(connection), [405]);
  });

  test(`a Content-Length of zero is no content: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    const connection = await connect();
    for (let round = 0; round < 3; round++) {
      const answer = await connection.send(G.replace('Host', 'Content-Length: 0\r\nHost')).answer();
      assert.deepEqual(answer.body, bytes.subarray(0, 4));
    }
    connection.socket.destroy();
  });

  for (const lines of [
    'Connection: close',
    'Connection: Close',
    'Connection: TE, close',
    'Connection: close, TE',
    'Connection: keep-alive,close',
    'Connection: keep-alive\r\nConnection: close',
    'connection:close\r\nConnection: TE',
  ]) {
    test(`closes after the answer, and says so: ${JSON.stringify(lines)}: ${port}`, async () => {
      const { connect } = await filmEdge(kind);
      const connection = await connect();
      connection.send(G.replace('Host', `${lines}\r\nHost`) + G);
      const text = (await connection.rest()).toString('latin1');
      assert.equal(text.split('HTTP/1.1 206').length, 2);
      assert.match(text, /^connection: close\r$/im);
    });
  }

  for (const lines of [
    'Connection: keep-alive',
    'Connection: closed',
    'Connection: not-close, TE',
    'X-Connection: close',
  ]) {
    test(`stays open: ${JSON.stringify(lines)}: ${port}`, async () => {
      const { connect } = await filmEdge(kind);
      const connection = await connect();
      for (let round = 0; round < 2; round++) {
        const answer = await connection.send(G.replace('Host', `${lines}\r\nHost`)).answer();
        assert.equal(answer.fields.connection, undefined);
      }
      connection.socket.destroy();
    });
  }

  test(`empty lines before a request are passed over: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    for (const way of WAYS) {
      const connection = await connect();
      await sendInWay(connection, way, `\r\n\r\n\r\n${G}\r\n${G}`);
      for (let round = 0; round < 2; round++) assert.equal((await connection.answer()).status, 206, way);
      connection.socket.destroy();
    }
  });

  test(`a target in absolute-form is taken for its path, and its authority for the host: ${port}`, async () => {
    const { connect, content } = await filmEdge(kind);
    const connection = await connect();
    for (const target of [
      'http://b.example/film.mp4',
      'HTTP://b.example:8080/film.mp4',
      'https://b.example/film.mp4?x=1',
    ]) {
      connection.send(G.replace('/film.mp4', target));
      assert.equal((await connection.answer()).status, 206, target);
      assert.equal(content.requests.at(-1)!.host, 'b.example');
      assert.equal(content.requests.at(-1)!.path, '/film.mp4');
    }
    connection.socket.destroy();
  });

  test(`HTTP/1.0 is answered and closed, with Host or without: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    // Node keeps those that ask for it.
    const asking = kind.engine === 'node' ? [] : ['Connection: keep-alive\r\n'];
    for (const head of ['', 'Host: a\r\n', ...asking]) {
      const connection = await connect();
      connection.send(`GET /film.mp4 HTTP/1.0\r\n${head}Range: bytes=0-9\r\n\r\n`);
      const all = await connection.rest();
      assert.match(all.toString('latin1'), /^HTTP\/1\.1 206 .*\r\nconnection: close\r\n/is);
      assert.deepEqual(all.subarray(-10), bytes.subarray(0, 10));
    }
  });

  test(`a connection is closed after a few wrong requests: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    const connection = await connect();
    // A method that Node has never heard of ends the connection at once.
    const method = kind.engine === 'node' ? 'PUT' : 'BREW';
    let answers = 0;
    for (; answers < 50; answers++) {
      const answer = await connection.request(method, '/film.mp4').answer();
      assert.equal(answer.status, 405);
      if (answer.fields.connection === 'close') break;
    }
    assert.ok(answers >= 2 && answers < 20, `${answers}`);
    assert.equal((await connection.rest()).length, 0);
  });

  test(`however a series of requests is cut into segments, its answers are the same: ${port}`, async () => {
    const { connect } = await filmEdge(kind);
    const request = fc.record({
      first: fc.integer({ min: 0, max: 600_000 }),
      length: fc.integer({ min: 1, max: 5000 }),
      blank: fc.boolean(),
      form: fc.constantFrom('/film.mp4', 'http://b/film.mp4'),
      extra: fc.constantFrom(
        '',
        'Content-Length: 0\r\n',
        'Connection: TE\r\nTE: trailers\r\n',
        `Cookie: ${'c'.repeat(3000)}\r\n`,
      ),
    });
    const cuts = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), cuts, async (requests, sizes) => {
        const connection = await connect();
        connection.socket.setNoDelay(true);
        const text = requests
          .map(
            ({ first, length, blank, form, extra }) =>
              `${blank ? '\r\n' : ''}GET ${form} HTTP/1.1\r\nHost: a\r\n${extra}Range: bytes=${first}-${first + length - 1}\r\n\r\n`,
          )
          .join('');
        for (let at = 0, turn = 0; at < text.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          connection.send(text.slice(at, at + size));
          at += size;
          if (turn % 3 === 0) await new Promise(setImmediate);
        }
        for (const { first, length } of requests)
          assert.deepEqual((await connection.answer()).body, bytes.subarray(first, first + length));
        connection.socket.destroy();
      }),
      { numRuns: 60 },
    );
  });
}

test('a player that half-closes gets its answer whole: cold, slow, and pipelined', async () => {
  const { film, server, port } = await filmEdge();
  film.available = 0;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', chunk => void chunks.push(chunk));
  const whole = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n';
  socket.end(whole + whole);
  await until('the film is wanted', () => film.wants.length > 0);
  const cpu = process.cpuUsage();
  await new Promise(resolve => setTimeout(resolve, 300));
  const { user, system } = process.cpuUsage(cpu);
  assert.ok(user + system < 150_000, `${user + system} µs of CPU while nothing happens`);
  assert.equal(server.stats.openResponses, 1);
  socket.pause();
  film.available = Infinity;
  await new Promise(resolve => setTimeout(resolve, 100));
  socket.resume();
  await once(socket, 'close');
  const all = Buffer.concat(chunks);
  const first = all.indexOf('\r\n\r\n') + 4;
  assert.deepEqual(all.subarray(first, first + bytes.length), bytes);
  assert.deepEqual(all.subarray(-bytes.length), bytes);
  assert.equal(all.toString('latin1').split('HTTP/1.1 200 ').length, 3);
  await until('closed', () => server.stats.openConnections === 0);
  assert.equal(server.stats.abortedResponses, 0);
});

test('a player that half-closed and is then gone is noticed', async () => {
  const { film, server, port } = await filmEdge();
  film.available = 0;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(G);
  await until('the film is wanted', () => film.wants.length > 0);
  await new Promise(resolve => setTimeout(resolve, 50));
  socket.resetAndDestroy();
  await until('it has left', () => server.stats.openResponses === 0);
  await until('closed', () => server.stats.openConnections === 0);
});
