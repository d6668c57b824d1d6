import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { parseHttpDate } from '../../../src/catalog/http-date.js';

const NOW = Date.UTC(2026, 10, 20);

for (const [text, expected] of [
  // The three forms of RFC 9110 section 5.6.7.
  ['Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
  ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
  ['Sun Nov  6 08:49:37 1994', Date.UTC(1994, 10, 6, 8, 49, 37)],
  // Two digits that would lie more than 50 years ahead are in the past.
  ['Friday, 01-Jan-77 00:00:00 GMT', Date.UTC(1977, 0, 1)],
  ['Wednesday, 01-Jan-75 00:00:00 GMT', Date.UTC(2075, 0, 1)],
  ['0', undefined],
  ['-1', undefined],
  ['9999', undefined],
  ['Sun, 06 Nov 1994 08:49:37 +0100', undefined],
  ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
  ['2026-11-20T00:00:00Z', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  it(`date ${text}`, () => assert.equal(parseHttpDate(text, NOW), expected));
}

it('reads what every Date writes', () => {
  const dates = fc.date({ min: new Date(0), max: new Date(8e12), noInvalidDate: true });
  fc.assert(fc.property(dates, date => assert.equal(parseHttpDate(date.toUTCString()), Math.floor(date.getTime() / 1000) * 1000)));
});
