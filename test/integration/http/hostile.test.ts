import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const bytes = contentAt('/film.mp4', 'v1', 0, 100_000);

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'BREW', 'get', ''];
const TARGETS = [
  '/film.mp4',
  '/film.mp4?start=1',
  '/none',
  '/',
  '*',
  '//x',
  '/..',
  '/%',
  '/%00',
  '/\xff',
  '/a b',
  'http://a/film.mp4',
  `/${'x'.repeat(9000)}`,
  '',
];
const FIELDS = [
  'Range: bytes=0-9',
  'Range: bytes=-5',
  'Range: bytes=0-9,20-29',
  'Range: bytes=9999999-',
  `Range: bytes=${'0-,'.repeat(500)}`,
  'Range: bytes=a',
  'Range:',
  'If-Range: "x"',
  'If-None-Match: *',
  'If-None-Match: "',
  'If-Match: W/"a',
  'If-Modified-Since: now',
  'Connection: close',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Host: b',
  'Host: [',
  'Origin: null',
  'X: \xff\x01',
  ': x',
  'no colon',
  `Cookie: ${'c'.repeat(17_000)}`,
];

/** Sends bytes and hangs up when an answer or the end has come, or after a moment when neither comes. */
async function poke(port: number, text: Buffer): Promise<Buffer> {
  const connection = await RawConnection.open(port);
  connection.send(text);
  const moment = new Promise<void>(resolve => setTimeout(resolve, 20));
  await Promise.race([connection.rest(), moment]);
  const got = connection.received();
  connection.socket.destroy();
  return got;
}

const cors = { origins: ['https://a.example'], methods: ['GET'], headers: [], exposeHeaders: [], maxAge: 0 };

for (const engine of ENGINES)
  test(`no bytes harm the server, and every answer is one: ${engine}`, async () => {
    const { content, port, server } = await startEdge({ cors }, listening(engine));
    const film = new FakeObject(bytes);
    content.paths.set('/film.mp4', film);
    const request = fc
      .record({
        method: fc.constantFrom(...METHODS),
        target: fc.constantFrom(...TARGETS),
        version: fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2', ''),
        fields: fc.array(fc.constantFrom(...FIELDS), { maxLength: 4 }),
        end: fc.constantFrom('\r\n\r\n', '\r\n\r\n', '\n\n', '\r\n'),
      })
      .map(
        ({ method, target, version, fields, end }) =>
          `${method} ${target} ${version}\r\nHost: a${fields.map(field => `\r\n${field}`).join('')}${end}`,
      );
    const noise = fc.uint8Array({ maxLength: 30 }).map(octets => Buffer.from(octets).toString('latin1'));
    const stream = fc.array(fc.oneof({ arbitrary: request, weight: 4 }, noise), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(stream, async texts => {
        const got = (await poke(port, Buffer.from(texts.join(''), 'latin1'))).toString('latin1');
        if (got !== '') assert.match(got, /^HTTP\/1\.1 (100|[2-5]\d\d) [A-Z]/);
      }),
      { numRuns: engine === 'uws' ? 150 : 75 },
    );
    assert.deepEqual((await fetchRaw(port, 'GET', '/film.mp4')).body, bytes);
    await until('nothing is left open', () => server.stats.openResponses === 0 && server.stats.openConnections === 0);
    assert.deepEqual(film.faults, []);
    assert.equal(film.readers.size, 0);
  });

for (const engine of ENGINES)
  test(`one request in any pieces is one request, as long as its first line is whole: ${engine}`, async () => {
    const { content, port } = await startEdge({}, listening(engine));
    content.paths.set('/film.mp4', new FakeObject(bytes));
    // This release of the front end answers 505 to a first line that comes in two reads.
    const line = 'GET /film.mp4 HTTP/1.1\r\n';
    const text = Buffer.from(`${line}Host: a\r\nRange: bytes=10-19\r\nCookie: a=b\r\n\r\n`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: line.length, max: text.length }), { maxLength: 4 }), async cuts => {
        const connection = await RawConnection.open(port);
        connection.socket.setNoDelay(true);
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        for (let i = 0; i + 1 < places.length; i++) {
          connection.send(text.subarray(places[i], places[i + 1]));
          await new Promise(setImmediate);
        }
        const { status, body } = await connection.answer();
        connection.socket.destroy();
        assert.equal(status, 206);
        assert.deepEqual(body, bytes.subarray(10, 20));
      }),
      { numRuns: 50 },
    );
  });
