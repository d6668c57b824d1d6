import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Addressing, type AddressSettings } from '../../../../src/app/origins/address.js';
import { relativePath } from '../../../../src/origin/file/file-path.js';
import { canonicalQuery, keyPath } from '../../../../src/origin/s3/s3-key.js';

const PLACES = { file: '/srv/films', http: 'http://h/base', s3: 's3://films/p' };

function addressing(kind: keyof typeof PLACES, query: Partial<AddressSettings['query']> = {}): Addressing {
  return new Addressing({ url: PLACES[kind], urls: [], query: { forward: 'none', drop: [], ...query } });
}

const CASES: [
  kind: keyof typeof PLACES,
  query: Partial<AddressSettings['query']>,
  given: string,
  sent: string,
  key: string,
][] = [
  ['http', {}, 'b=1&a&&b=2', 'b=1&a&&b=2', 'b=1&a&&b=2'],
  ['http', { key: 'none' }, 'a=1', '', ''],
  ['http', { key: ['id', 'v'] }, 'x=1&v=2&id=3&vv=4&v', 'v=2&id=3&v', 'v=2&id=3&v'],
  ['http', { key: ['id'], forward: ['token'] }, 'token=t&id=3&x=1', 'token=t&id=3', 'id=3'],
  ['http', { key: ['id'], forward: 'all' }, 'token=t&id=3&x=1', 'token=t&id=3&x=1', 'id=3'],
  ['http', { key: ['id'], forward: 'all', drop: ['utm'] }, 'token=t&id=3&utm=1', 'token=t&id=3', 'id=3'],
  ['http', { key: 'none', forward: 'all' }, 'token=t&id=3', 'token=t&id=3', ''],
  ['http', { key: 'all', forward: ['token'] }, 'token=t&id=3&x', 'token=t&id=3&x', 'id=3&x'],
  ['http', { forward: ['token'], drop: ['utm'] }, 'token=t&id=3&utm', 'token=t&id=3', 'id=3'],
  ['http', { forward: ['token'] }, 'tok%65n=t', 'tok%65n=t', 'tok%65n=t'],
  ['file', {}, 'a=1&versionId=2', '', ''],
  ['file', { key: ['v'] }, 'a=1&v=2', 'v=2', 'v=2'],
  [
    's3',
    {},
    'list-type=2&acl&versionId=a%2fb&response-expires=x+y',
    'response-expires=x%2By&versionId=a%2Fb',
    'response-expires=x%2By&versionId=a%2Fb',
  ],
  ['s3', {}, 'versionId=1&versionId=2&partNumber=3', 'partNumber=3&versionId=1', 'partNumber=3&versionId=1'],
  ['s3', { key: 'none' }, 'versionId=1', '', ''],
];

for (const [kind, rules, given, sent, key] of CASES) {
  test(`${kind} ${JSON.stringify(rules)} ?${given}`, () => {
    const { query, keyQuery } = addressing(kind, rules).address('/a', given);
    assert.deepEqual([query, keyQuery], [sent, key]);
  });
}

const octet = fc.integer({ min: 0x21, max: 0xff }).filter(code => code !== 0x25 && code !== 0x3f && code !== 0x23);
const piece = fc.oneof(
  octet.map(code => `%${code.toString(16).padStart(2, '0')}`),
  fc.constantFrom(
    '/',
    'a',
    'A',
    '~',
    '%7e',
    '%7E',
    '%2f',
    '%2F',
    '%61',
    '+',
    '%2b',
    '.',
    '..',
    '%2e',
    '%c3%a9',
    '(',
    '%28',
  ),
);
const anyPath = fc.array(piece, { maxLength: 6 }).map(pieces => `/${pieces.join('')}`);

/** What a path means to an origin; undefined when it means nothing there. */
const MEANING: Record<keyof typeof PLACES, (path: string) => string | undefined> = {
  file: path => relativePath(path)?.toString('latin1'),
  http: path => path,
  s3: path => keyPath(path),
};

for (const kind of ['file', 'http', 's3'] as const) {
  test(`${kind}: two paths have one key if and only if the origin is asked for the same`, () => {
    const { address } = { address: (path: string) => addressing(kind).address(path, '').path };
    fc.assert(
      fc.property(anyPath, anyPath, (one, other) => {
        const meaning = MEANING[kind];
        assert.equal(meaning(address(one)), meaning(one), 'the key means what was asked for');
        if (meaning(one) === undefined || meaning(other) === undefined) return;
        assert.equal(address(one) === address(other), meaning(one) === meaning(other));
      }),
      { numRuns: 5000 },
    );
  });
}

test('directories: names are octets', () => {
  assert.deepEqual(relativePath('/caf%E9/%d3%C3'), Buffer.from('caf\xe9/\xd3\xc3', 'latin1'));
  assert.deepEqual(relativePath('/%C3%A9'), Buffer.from('é'));
});

test('queries of buckets are written one way', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a=1', 'a=2', 'b', 'b=', '=x', '', '%61=3', 'c=%2F+%20')), parameters => {
      const once = canonicalQuery(parameters.join('&'));
      assert.equal(canonicalQuery(once), once);
      assert.match(once, /^[A-Za-z0-9._~%=&-]*$/);
    }),
  );
});
