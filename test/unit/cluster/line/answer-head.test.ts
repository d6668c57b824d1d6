import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnswerHead } from '../../../../src/cluster/peer/line/answer-head.js';

const head = (...lines: string[]) => parseAnswerHead(lines.join('\r\n'));

test('a head says status, fields, and how the body ends', () => {
  const found = head(
    'HTTP/1.1 206 Partial Content',
    'ETag: "a"',
    'Content-Length:  12 ',
    'Set-Cookie: a',
    'set-cookie: b',
  );
  assert.equal(found?.status, 206);
  assert.deepEqual({ ...found.fields }, { etag: '"a"', 'content-length': '12', 'set-cookie': ['a', 'b'] });
  assert.equal(found.framing, 12);
  assert.equal(found.isLast, false);
  assert.equal(head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')?.framing, 'chunked');
  assert.equal(head('HTTP/1.1 204 No Content')?.framing, 0);
  assert.equal(head('HTTP/1.1 304 Not Modified', 'Content-Length: 5')?.framing, 0);
  assert.equal(head('HTTP/1.1 200 OK', 'Content-Length: 0', 'Connection: close')?.isLast, true);
});

for (const [name, lines] of [
  ['another version', ['HTTP/1.0 200 OK', 'Content-Length: 0']],
  ['no status', ['HTTP/1.1 20x OK', 'Content-Length: 0']],
  ['an interim status', ['HTTP/1.1 100 Continue', 'Content-Length: 0']],
  ['no length', ['HTTP/1.1 200 OK']],
  ['two lengths', ['HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 1']],
  ['a length that is none', ['HTTP/1.1 200 OK', 'Content-Length: -1']],
  ['a huge length', ['HTTP/1.1 200 OK', 'Content-Length: 9999999999999999']],
  ['length and chunks', ['HTTP/1.1 200 OK', 'Content-Length: 1', 'Transfer-Encoding: chunked']],
  ['another coding', ['HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked']],
  ['a folded line', ['HTTP/1.1 200 OK', 'Content-Length: 1', ' X: 2']],
  ['a bare line end', ['HTTP/1.1 200 OK', 'Content-Length: 1\nX: 2']],
  ['a name with a blank', ['HTTP/1.1 200 OK', 'Content-Length : 1']],
  ['a line without a colon', ['HTTP/1.1 200 OK', 'Content-Length: 1', 'nothing']],
  ['a control in a value', ['HTTP/1.1 200 OK', 'Content-Length: 1', 'X: a\0b']],
] as const) {
  test(`no head of an edge: ${name}`, () => assert.equal(head(...lines), undefined));
}
