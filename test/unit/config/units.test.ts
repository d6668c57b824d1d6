import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatSize, formatTime, parseSize, parseTime } from '../../../src/config/units.js';

test('sizes are powers of two', () => {
  const cases: [unknown, number][] = [
    ['64MiB', 64 * 2 ** 20],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['2TiB', 2 ** 41],
    ['8192', 8192],
    [8192, 8192],
    ['0', 0],
    [0, 0],
    ['7B', 7],
    ['0.3KiB', 307],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, String(text));
});

test('times need a unit, except zero', () => {
  const cases: [unknown, number | undefined][] = [
    ['250ms', 250],
    ['1.5s', 1500],
    ['5 m', 300_000],
    ['2h', 7_200_000],
    [0, 0],
    ['0', 0],
    [5, undefined],
    ['5', undefined],
  ];
  for (const [text, milliseconds] of cases) assert.equal(parseTime(text), milliseconds, String(text));
});

test('what is no quantity is refused', () => {
  const wrong = [
    '',
    ' ',
    '-1s',
    '-1MiB',
    '1e3',
    'MiB',
    '1 KB',
    '1mib',
    '1  KiB',
    '1.KiB',
    '.5KiB',
    '0x10',
    '1KiB ',
    'constructor',
    '1constructor',
    '1toString',
  ];
  for (const text of [
    ...wrong,
    null,
    undefined,
    true,
    Number.NaN,
    -1,
    Number.POSITIVE_INFINITY,
    {},
    [],
    ['1s'],
    '99999999999999999KiB',
    '9999999999999TiB',
  ]) {
    assert.equal(parseSize(text), undefined, `size ${String(text)}`);
    assert.equal(parseTime(text), undefined, `time ${String(text)}`);
  }
});

test('what is formatted is read again as the same', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), amount => {
      assert.equal(parseSize(formatSize(amount)), amount);
      assert.equal(parseTime(formatTime(amount)), amount);
    }),
  );
});
