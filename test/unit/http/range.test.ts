import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteRange, parseRange, resolveRanges } from '../../../src/http/range.js';
import { cpuStopwatch } from '../../support/stopwatch.js';

const LIMITS = { maxParts: 64, maxOverlap: 2 };

function resolved(field: string, size: number, limits = LIMITS): readonly ByteRange[] | 'whole' | 'refused' {
  const set = parseRange(field);
  return set === undefined ? 'whole' : (resolveRanges(set, size, limits) ?? 'refused');
}

const CASES: [field: string, size: number, expected: ReturnType<typeof resolved>][] = [
  ['bytes=0-0', 100, [{ start: 0, end: 1 }]],
  ['bytes=0-', 100, [{ start: 0, end: 100 }]],
  ['bytes=10-19', 100, [{ start: 10, end: 20 }]],
  ['bytes=90-1000', 100, [{ start: 90, end: 100 }]],
  ['bytes=-10', 100, [{ start: 90, end: 100 }]],
  ['bytes=-1000', 100, [{ start: 0, end: 100 }]],
  ['BYTES=1-2', 100, [{ start: 1, end: 3 }]],
  ['bytes=99999999999999999999999999-', 100, []],
  ['bytes=0-99999999999999999999999999', 100, [{ start: 0, end: 100 }]],
  ['bytes=007-0008', 100, [{ start: 7, end: 9 }]],
  ['bytes=100-', 100, []],
  ['bytes=-0', 100, []],
  [
    'bytes=0-0,-1',
    100,
    [
      { start: 0, end: 1 },
      { start: 99, end: 100 },
    ],
  ],
  [
    'bytes= 0-0 ,\t5-5 , ,',
    100,
    [
      { start: 0, end: 1 },
      { start: 5, end: 6 },
    ],
  ],
  [
    'bytes=50-59,0-9',
    100,
    [
      { start: 50, end: 60 },
      { start: 0, end: 10 },
    ],
  ],
  ['bytes=0-9,200-300', 100, [{ start: 0, end: 10 }]],
  ['bytes=0-9,10-19', 100, [{ start: 0, end: 20 }]],
  [
    'bytes=0-9,11-19',
    100,
    [
      { start: 0, end: 10 },
      { start: 11, end: 20 },
    ],
  ],
  [
    'bytes=60-69,0-9,65-79',
    100,
    [
      { start: 60, end: 80 },
      { start: 0, end: 10 },
    ],
  ],
  ['bytes=0-,0-,0-', 100, [{ start: 0, end: 100 }]],
  ['bytes=0-,0-,0-,0-', 100, 'refused'],
  [
    `bytes=${Array.from({ length: 64 }, (_, i) => `${2 * i}-${2 * i}`)}`,
    1000,
    Array.from({ length: 64 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 })),
  ],
  [`bytes=${Array.from({ length: 65 }, (_, i) => `${2 * i}-${2 * i}`)}`, 1000, 'refused'],
  ...[
    '',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=-',
    'bytes=5',
    'bytes=5-4',
    'bytes=a-b',
    'bytes=1-2x',
    'bytes=1--2',
    'bytes=--1',
    'bytes=+1-2',
    'bytes=1-2,5',
    'bytes=1-2;3-4',
    'bytes 1-2',
    'bytes =1-2',
    'items=0-1',
    'bytes=0x1-0x2',
    'bytes=1.0-2',
    'bytes=1 -2',
    'bytes=1- 2',
    'bytes=１-２',
  ].map(field => [field, 100, 'whole'] as [string, number, 'whole']),
];

for (const [field, size, expected] of CASES) {
  test(`${field.slice(0, 60)} of ${size}`, () => assert.deepEqual(resolved(field, size), expected));
}

test('no text takes long or throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map(text => `bytes=${text}`),
      ),
      text => void resolved(text, 1000),
    ),
  );
  const spent = cpuStopwatch();
  for (const text of [
    `bytes=${'9'.repeat(16000)}`,
    `bytes=${','.repeat(16000)}`,
    `bytes=${'0-,'.repeat(5000)}`,
    `bytes=${' '.repeat(16000)}`,
  ]) {
    resolved(text, 1000);
  }
  assert.ok(spent() < 500);
});

/** The grammar of RFC 9110 section 14.1.1 as a regular expression, and its meaning byte by byte. */
function model(field: string, size: number): boolean[] | undefined {
  const spec = String.raw`(?:\d+-\d*|-\d+)`;
  const ows = String.raw`[ \t]*`;
  if (!new RegExp(`^bytes=(?:${ows},)*${ows}${spec}(?:${ows},(?:${ows}${spec})?)*${ows}$`).test(field))
    return undefined;
  const wanted = Array<boolean>(size).fill(false);
  for (const [, first, last] of field.matchAll(/(\d*)-(\d*)/g)) {
    if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
    for (let at = 0; at < size; at++) {
      if (first === '' ? at >= size - Number(last) : at >= Number(first) && (last === '' || at <= Number(last)))
        wanted[at] = true;
    }
  }
  return wanted;
}

test('any range set means the same bytes as in a byte-by-byte reading of the grammar', () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => `${a}-${b}`),
    fc.nat(60).map(a => `${a}-`),
    fc.nat(60).map(a => `-${a}`),
    fc.constantFrom('', ' ', '-', '5', '\t3-4 '),
  );
  const fields = fc.array(spec, { minLength: 1, maxLength: 6 }).map(specs => `bytes=${specs.join(',')}`);
  fc.assert(
    fc.property(fields, fc.integer({ min: 1, max: 50 }), (field, size) => {
      const ranges = resolved(field, size, { maxParts: 64, maxOverlap: 64 });
      const wanted = model(field, size);
      if (wanted === undefined) return assert.equal(ranges, 'whole');
      assert.ok(Array.isArray(ranges));
      const got = Array<boolean>(size).fill(false);
      for (const { start, end } of ranges) {
        assert.ok(start < end && end <= size);
        for (let at = start; at < end; at++) {
          assert.equal(got[at], false, 'a byte is sent once');
          got[at] = true;
        }
      }
      assert.deepEqual(got, wanted);
    }),
    { numRuns: 1000 },
  );
});
