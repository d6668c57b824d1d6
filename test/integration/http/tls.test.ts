import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { connect as secureConnect } from 'node:tls';
import { EdgeError } from '../../../src/base/errors.js';
import { createHttpServer } from '../../../src/http/server.js';
import { certificateFiles } from '../../support/certificate.js';
import { contentAt } from '../../support/content.js';
import { DEFAULTS } from '../../support/defaults.js';
import { FakeContent, FakeObject, plainFiles } from '../../support/fake-content.js';
import { startEdge } from '../../support/http-edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const SIZE = 5_000_000;
const { cert, files } = certificateFiles();

/** An edge that speaks TLS, with a film, and connections to it that say what they are told. */
async function secureEdge() {
  const edge = await startEdge({}, { tls: files });
  const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, SIZE));
  edge.content.paths.set('/film.mp4', film);
  const open = async () => {
    const plain = connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true });
    const socket = secureConnect({ socket: plain, ca: cert, servername: 'localhost' });
    after(() => plain.destroy());
    await once(socket, 'secureConnect');
    return { plain, connection: RawConnection.over(socket), closed: once(plain, 'close') };
  };
  return { ...edge, film, open };
}

const GET = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3\r\n';

for (const [what, text, status] of [
  ['has content', `${GET}Content-Length: 5\r\n\r\nhello`, 206],
  ['announces content', `${GET}Content-Length: 500000\r\n\r\nhello`, 206],
  ['has content and another method', 'POST /film.mp4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 405],
  ['has what looks like a request as its content', `${GET}Content-Length: ${GET.length + 2}\r\n\r\n${GET}\r\n`, 206],
  ['says close among others', `${GET}Connection: TE, close\r\n\r\n`, 206],
] as const) {
  test(`over TLS the connection ends with the answer to a request that ${what}`, async () => {
    const { open, content } = await secureEdge();
    const { connection, closed } = await open();
    const answer = await connection.send(text).answer();
    assert.equal(answer.status, status);
    assert.equal(answer.fields.connection, 'close');
    connection.send(`${GET}\r\n`).socket.end();
    await closed;
    assert.ok(content.requests.length <= 1);
  });
}

test('over TLS the connection is closed after a few bad requests', async () => {
  const { open } = await secureEdge();
  const { connection, closed } = await open();
  let answers = 0;
  for (let last = ''; last !== 'close'; answers++) {
    const { status, fields } = await connection.send('BREW /film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n').answer();
    assert.equal(status, 405);
    last = fields.connection ?? '';
  }
  assert.equal(answers, 8);
  connection.socket.end();
  await closed;
});

test('over TLS a client that half-closes after its request has the whole answer', async () => {
  const { open, film, content } = await secureEdge();
  film.available = 0;
  const { plain, connection } = await open();
  connection.send('GET /film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n');
  const whole = connection.answer();
  await until('it is being answered', () => content.requests.length === 1);
  plain.end();
  await once(plain, 'finish');
  film.available = Number.POSITIVE_INFINITY;
  assert.ok((await whole).body.equals(film.bytes));
});

test('over TLS requests in one record are answered in order, whatever the first has to wait for', async () => {
  const { open, film, content, server } = await secureEdge();
  film.available = 0;
  const { connection } = await open();
  const froms = Array.from({ length: 100 }, (_, i) => 4 * i);
  connection.send(froms.map(from => `${GET.replace('0-3', `${from}-${from + 3}`)}\r\n`).join(''));
  await until('the first is being answered', () => content.requests.length === 1);
  film.available = Number.POSITIVE_INFINITY;
  for (const from of froms) {
    const { status, body } = await connection.answer();
    assert.equal(status, 206);
    assert.ok(body.equals(film.bytes.subarray(from, from + 4)));
  }
  await until('every answer has ended', () => server.stats.openResponses === 0);
});

test('over TLS a request is answered that comes with the end of its connection', async () => {
  const { open } = await secureEdge();
  const { connection } = await open();
  connection.socket.end(`${GET}\r\n`);
  assert.match((await connection.rest()).toString('latin1'), /^HTTP\/1\.1 206 /);
});

test('over TLS a request in a record of its own waits for the answer before it', async () => {
  const { open, film, content } = await secureEdge();
  film.available = 0;
  const { connection } = await open();
  connection.send(`${GET}\r\n`);
  await until('the first is being answered', () => content.requests.length === 1);
  connection.send(`${GET.replace('0-3', '4-7')}\r\n`).send(`${GET.replace('0-3', '8-11')}\r\n`);
  film.available = Number.POSITIVE_INFINITY;
  for (const from of [0, 4, 8]) {
    const { status, body } = await connection.answer();
    assert.equal(status, 206);
    assert.ok(body.equals(film.bytes.subarray(from, from + 4)));
  }
});

test('the port speaks TLS when it has a certificate', async () => {
  const { content, port } = await startEdge({}, { tls: files });
  const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 5_000_000));
  content.paths.set('/film.mp4', film);
  const body = await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    request(
      { host: '127.0.0.1', port, path: '/film.mp4', ca: cert, headers: { Range: 'bytes=1-' }, agent: false },
      answer => {
        assert.equal(answer.statusCode, 206);
        answer.on('data', chunk => chunks.push(chunk));
        answer.on('end', () => resolve(Buffer.concat(chunks)));
      },
    )
      .on('error', reject)
      .end();
  });
  assert.ok(body.equals(film.bytes.subarray(1)));
  assert.deepEqual(film.faults, []);
});

test("a certificate that can't be used is an error that names it", async () => {
  const server = createHttpServer({ ...DEFAULTS.http, content: new FakeContent(), ...plainFiles });
  await assert.rejects(
    server.listen('127.0.0.1', 0, { tls: { cert: '/nonexistent/cert.pem', key: '/nonexistent/key.pem' } }),
    (error: unknown) =>
      error instanceof EdgeError && error.code === 'bad_config' && error.message.includes('/nonexistent/cert.pem'),
  );
});
