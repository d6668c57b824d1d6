import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  conditionFields,
  confirms,
  endToEnd,
  forwarded,
  integerOf,
  parseContentRange,
  retryAfterOf,
  sameVersion,
  validatorOf,
} from '../../../src/origin/fields.js';

test('endToEnd drops the fields of the connection, also those that Connection names, and joins what is repeated', () => {
  const fields = endToEnd({
    'content-type': 'video/mp4',
    connection: 'close, X-Private',
    'x-private': '1',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked',
    vary: ['a', 'b'],
    absent: undefined,
  });
  assert.deepEqual({ ...fields }, { 'content-type': 'video/mp4', vary: 'a, b' });
  assert.equal(Object.getPrototypeOf(fields), null);
});

test('forwarded keeps what is the player’s and nothing that is ours to say', () => {
  const fields = {
    accept: '*/*',
    authorization: 'x',
    range: 'bytes=0-',
    'if-match': '*',
    host: 'h',
    te: 'x',
    'accept-encoding': 'gzip',
  };
  assert.deepEqual(forwarded(fields), { accept: '*/*', authorization: 'x' });
});

test('validatorOf takes sound tags as they are, and leaves those without quotes, and makes weak ones of what is none', () => {
  const date = 'Tue, 01 Sep 2020 00:00:00 GMT';
  const cases: [string | undefined, string | undefined][] = [
    ['"a"', '"a"'],
    ['W/"a"', 'W/"a"'],
    ['""', '""'],
    ['abc', 'abc'],
    ['a"b', 'W/"ab"'],
    ['a b', 'W/"ab"'],
    ['*', 'W/"*"'],
    ['"a", "b"', 'W/"a,b"'],
    ['w/"a"', 'W/"w/a"'],
    ['', undefined],
    [undefined, undefined],
    [`"${'x'.repeat(2000)}"`, undefined],
  ];
  for (const [etag, expected] of cases) {
    const fields: Record<string, string> = etag === undefined ? {} : { etag };
    assert.deepEqual(validatorOf(fields), { etag: expected, lastModified: undefined });
  }
  assert.equal(validatorOf({ 'last-modified': date }).lastModified, date);
  assert.equal(validatorOf({ 'last-modified': 'yesterday' }).lastModified, undefined);
});

test('versions: a strong tag decides alone, otherwise everything must agree', () => {
  const of = (etag?: string, lastModified?: string) => ({ etag, lastModified });
  assert.ok(sameVersion(of('"a"', 'x'), of('"a"', 'y')));
  assert.ok(!sameVersion(of('"a"', 'x'), of('W/"a"', 'x')));
  assert.ok(!sameVersion(of('"a"', 'x'), of(undefined, 'x')));
  assert.ok(sameVersion(of('W/"a"', 'x'), of('W/"a"', 'x')));
  assert.ok(!sameVersion(of('W/"a"', 'x'), of('W/"a"', 'y')));
  assert.ok(sameVersion(of(), of()));
  assert.ok(!sameVersion(of(), of('"a"')));
  assert.ok(confirms(of('"a"', 'x'), of()));
  assert.ok(confirms(of('"a"', 'x'), of('W/"a"')));
  assert.ok(!confirms(of('"a"', 'x'), of('"b"', 'x')));
  assert.ok(!confirms(of(undefined, 'x'), of(undefined, 'y')));
});

test('condition fields', () => {
  const both = { etag: '"a"', lastModified: 'x' };
  const weak = { etag: 'W/"a"', lastModified: 'x' };
  const none = { etag: undefined, lastModified: undefined };
  assert.deepEqual(conditionFields({ kind: 'same', validator: both }), { 'if-match': '"a"' });
  assert.deepEqual(conditionFields({ kind: 'same', validator: weak }), { 'if-unmodified-since': 'x' });
  assert.deepEqual(conditionFields({ kind: 'same', validator: none }), {});
  assert.deepEqual(conditionFields({ kind: 'changed', validator: weak }), { 'if-none-match': 'W/"a"' });
  assert.deepEqual(conditionFields({ kind: 'changed', validator: { ...both, etag: undefined } }), {
    'if-modified-since': 'x',
  });
  assert.deepEqual(conditionFields({ kind: 'changed', validator: none }), {});
  assert.deepEqual(conditionFields(undefined), {});
});

test('Content-Range: what is sound is read back, anything else is refused', () => {
  const max = 10 ** 15 - 1;
  fc.assert(
    fc.property(fc.nat({ max }), fc.nat({ max }), fc.option(fc.nat({ max })), (a, b, extra) => {
      const [start, last] = a < b ? [a, b] : [b, a];
      const size = extra === null ? undefined : Math.min(max, last + 1 + (extra % 1000));
      const sound = size === undefined || last < size;
      const range = parseContentRange(`bytes ${start}-${last}/${size ?? '*'}`);
      assert.deepEqual(range, sound ? { start, end: last + 1, size } : undefined);
    }),
  );
  assert.deepEqual(parseContentRange('bytes */100'), { start: undefined, end: undefined, size: 100 });
  assert.deepEqual(parseContentRange(' BYTES  0-0/1 '), { start: 0, end: 1, size: 1 });
  for (const wrong of [
    ...[
      '',
      'bytes',
      'bytes */*',
      'bytes 5-4/10',
      'bytes 0-10/10',
      'bytes 0-9/9',
      'bytes -1-9/10',
      'bytes 0-9',
      'bytes 0-9/',
    ],
    ...[
      'items 0-9/10',
      'bytes 0-9/10, bytes 0-9/10',
      'bytes 0x0-9/10',
      'bytes 0-9999999999999999/*',
      'bytes 1e3-2e3/1e4',
    ],
  ]) {
    assert.equal(parseContentRange(wrong), undefined, wrong);
  }
  fc.assert(fc.property(fc.string(), text => void parseContentRange(text)));
});

test('numbers and Retry-After', () => {
  assert.equal(integerOf('0012'), 12);
  for (const wrong of ['', '-1', '1.5', '1e3', ' 1', '0x1', '9'.repeat(16)])
    assert.equal(integerOf(wrong), undefined, wrong);
  const now = Date.parse('Tue, 01 Sep 2020 00:00:00 GMT');
  const of = (value: string) => retryAfterOf({ 'retry-after': value }, now);
  assert.equal(of('120'), 120);
  assert.equal(of('99999'), 3600);
  assert.equal(of('Tue, 01 Sep 2020 00:01:00 GMT'), 60);
  assert.equal(of('Mon, 31 Aug 2020 00:00:00 GMT'), 0);
  assert.equal(of('soon'), undefined);
  assert.equal(retryAfterOf({}, now), undefined);
});
