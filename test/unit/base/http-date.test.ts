import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHttpDate, parseHttpDate } from '../../../src/base/http-date.js';

const NOW = Date.UTC(2026, 10, 20);
const TIME = Date.UTC(1994, 10, 6, 8, 49, 37);

test('the three forms of RFC 9110 section 5.6.7 are one time', () => {
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', NOW), TIME);
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW), TIME);
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW), TIME);
  assert.equal(parseHttpDate('Wed Nov 16 08:49:37 1994', NOW), Date.UTC(1994, 10, 16, 8, 49, 37));
});

test('two digits of a year are at most 50 years ahead', () => {
  const year = (digits: string) =>
    new Date(parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, NOW)!).getUTCFullYear();
  assert.equal(year('76'), 2076);
  assert.equal(year('77'), 1977);
  assert.equal(year('26'), 2026);
  assert.equal(year('00'), 2000);
  assert.equal(year('99'), 1999);
});

test('a leap second is the next second', () => {
  assert.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW), Date.UTC(2017, 0, 1));
});

for (const text of [
  '',
  '0',
  'now',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 06 Nov 1994 08:49:37 +0000',
  'sun, 06 nov 1994 08:49:37 gmt',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nov 94 08:49:37 GMT',
  'Sun, 06 Nov 1994 24:00:00 GMT',
  'Sun, 06 Nov 1994 08:60:37 GMT',
  'Sun, 31 Feb 1994 08:49:37 GMT',
  'Sun, 00 Nov 1994 08:49:37 GMT',
  'Sun, 29 Feb 1995 08:49:37 GMT',
  '1994-11-06T08:49:37Z',
  'Sun, 06 Nov 1994 08:49:61 GMT',
]) {
  test(`no date: ${text}`, () => assert.equal(parseHttpDate(text, NOW), undefined));
}

test('every time is written as the platform writes it, and read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1000, 0) / 1000, max: Date.UTC(9999, 0) / 1000 }), seconds => {
      const text = formatHttpDate(seconds * 1000)!;
      assert.equal(text, new Date(seconds * 1000).toUTCString());
      assert.equal(parseHttpDate(text, NOW), seconds * 1000);
    }),
  );
});

test('what has no HTTP-date is not written', () => {
  assert.equal(formatHttpDate(NaN), undefined);
  assert.equal(formatHttpDate(8.64e15), undefined);
  assert.equal(formatHttpDate(-8.64e15), undefined);
});
