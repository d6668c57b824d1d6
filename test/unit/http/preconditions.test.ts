import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Conditions, evaluate, holdsEntityTag, rangeApplies } from '../../../src/http/preconditions.js';
import { cpuStopwatch } from '../../support/stopwatch.js';

const modified = Date.UTC(2025, 0, 2, 3, 4, 5);
const file = { etag: '"a,b"', lastModified: modified };
const [BEFORE, SAME, AFTER] = [-1000, 0, 1000].map(shift => new Date(modified + shift).toUTCString()) as [
  string,
  string,
  string,
];

function verdict(
  conditions: Partial<Conditions>,
  selected: Parameters<typeof evaluate>[1] = file,
): ReturnType<typeof evaluate> {
  return evaluate(
    { ifMatch: '', ifNoneMatch: '', ifModifiedSince: '', ifUnmodifiedSince: '', ...conditions },
    selected,
  );
}

const LISTS: [field: string, strong: boolean, weak: boolean][] = [
  ['"a,b"', true, true],
  ['W/"a,b"', false, true],
  ['*', true, true],
  [' * ', true, true],
  ['"x", "a,b"', true, true],
  ['"x" ,\t, "a,b" ,', true, true],
  ['"x","y"', false, false],
  ['"a', false, false],
  ['a,b', false, false],
  ['"a","b"', false, false],
  ['w/"a,b"', false, false],
  ['"x"; "a,b"', false, false],
  ['"x", *', false, false],
  ['', false, false],
];

for (const [field, strong, weak] of LISTS) {
  test(`entity tags ${field}`, () => {
    assert.equal(holdsEntityTag(field, file.etag, 'strong'), strong);
    assert.equal(holdsEntityTag(field, file.etag, 'weak'), weak);
  });
}

test('any list of tags holds exactly its members', () => {
  const opaque = fc.stringMatching(/^[!#-~]{0,5}$/).map(text => `"${text}"`);
  const element = fc.tuple(fc.boolean(), opaque).map(([weak, tag]) => ({ weak, tag, text: (weak ? 'W/' : '') + tag }));
  fc.assert(
    fc.property(
      fc.array(element, { minLength: 1, maxLength: 5 }),
      opaque,
      fc.constantFrom(',', ', ', ' ,, '),
      (elements, etag, comma) => {
        const field = elements.map(({ text }) => text).join(comma);
        assert.equal(
          holdsEntityTag(field, etag, 'weak'),
          elements.some(({ tag }) => tag === etag),
        );
        assert.equal(
          holdsEntityTag(field, etag, 'strong'),
          elements.some(({ tag, weak }) => tag === etag && !weak),
        );
      },
    ),
  );
});

test('no list takes long', () => {
  const spent = cpuStopwatch();
  for (const field of [',\t'.repeat(8000), '"'.repeat(16000), 'W/'.repeat(8000), '"a",'.repeat(4000)])
    holdsEntityTag(field, file.etag, 'weak');
  assert.ok(spent() < 200);
});

const TABLE: [
  name: string,
  conditions: Partial<Conditions>,
  expected: ReturnType<typeof evaluate>,
  selected?: Parameters<typeof evaluate>[1],
][] = [
  ['If-Match holds', { ifMatch: file.etag }, 'proceed'],
  ['If-Match fails', { ifMatch: '"other"' }, 'failed'],
  ['If-Match is strong', { ifMatch: `W/${file.etag}` }, 'failed'],
  ['If-Unmodified-Since holds', { ifUnmodifiedSince: SAME }, 'proceed'],
  ['If-Unmodified-Since fails', { ifUnmodifiedSince: BEFORE }, 'failed'],
  ['If-Unmodified-Since is ignored beside If-Match', { ifMatch: file.etag, ifUnmodifiedSince: BEFORE }, 'proceed'],
  ['If-None-Match', { ifNoneMatch: `W/${file.etag}` }, 'not_modified'],
  ['If-None-Match without quotes', { ifNoneMatch: 'ab' }, 'not_modified', { etag: '"ab"', lastModified: modified }],
  ['If-Match without quotes', { ifMatch: 'ab' }, 'failed', { etag: '"ab"', lastModified: modified }],
  ['If-None-Match of another without quotes', { ifNoneMatch: 'abc' }, 'proceed'],
  ['If-None-Match of another', { ifNoneMatch: '"other"' }, 'proceed'],
  ['If-Modified-Since', { ifModifiedSince: SAME }, 'not_modified'],
  ['If-Modified-Since later', { ifModifiedSince: AFTER }, 'not_modified'],
  ['If-Modified-Since earlier', { ifModifiedSince: BEFORE }, 'proceed'],
  ['If-Modified-Since is ignored beside If-None-Match', { ifNoneMatch: '"other"', ifModifiedSince: SAME }, 'proceed'],
  ['412 comes before 304', { ifMatch: '"other"', ifNoneMatch: file.etag }, 'failed'],
  ['304 after a good If-Match', { ifMatch: file.etag, ifNoneMatch: file.etag }, 'not_modified'],
  ['412 by date comes before 304', { ifUnmodifiedSince: BEFORE, ifNoneMatch: file.etag }, 'failed'],
  ['dates that are none', { ifUnmodifiedSince: 'never', ifModifiedSince: 'yesterday' }, 'proceed'],
];

for (const [name, conditions, expected, selected] of TABLE)
  test(name, () => assert.equal(verdict(conditions, selected), expected));

test('without Last-Modified dates say nothing', () => {
  const undated = { etag: '"x"', lastModified: undefined };
  assert.equal(verdict({ ifUnmodifiedSince: BEFORE }, undated), 'proceed');
  assert.equal(verdict({ ifModifiedSince: AFTER }, undated), 'proceed');
});

test('If-Range compares strongly, and dates exactly', () => {
  const later = modified + 5000;
  assert.equal(rangeApplies('', file, later), true);
  assert.equal(rangeApplies(file.etag, file, later), true);
  assert.equal(rangeApplies(`W/${file.etag}`, file, later), false);
  assert.equal(rangeApplies('"other"', file, later), false);
  assert.equal(rangeApplies(SAME, file, later), true);
  assert.equal(rangeApplies(AFTER, file, later), false);
  assert.equal(rangeApplies(BEFORE, file, later), false);
  assert.equal(rangeApplies('garbage', file, later), false);
  assert.equal(rangeApplies(SAME, { etag: '"x"', lastModified: undefined }, later), false);
});

test('If-Range with the date of an object that had just changed is no strong validator', () => {
  assert.equal(rangeApplies(SAME, file, modified + 500), false);
});
