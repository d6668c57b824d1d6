import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../src/base/errors.js';
import { type Entry, makeEntry } from '../../../src/catalog/entry.js';
import { decodeEntry, encodeEntry } from '../../../src/catalog/entry-record.js';
import { keptFields, sentFields, updatedFields } from '../../../src/catalog/rfc9111/kept-fields.js';

const context = {
  key: 'main/a.mp4',
  primary: 'main/a.mp4',
  epoch: 3,
  path: '/a.mp4',
  varied: { origin: 'x' },
  authorized: true,
  validated: 4,
  nonce: '',
};
const freshness = {
  vouched: 1.5e12,
  lifetime: 60_000,
  staleWhileRevalidate: 0,
  staleIfError: 5,
  mustRevalidate: false,
};
const validator = { etag: '"v1"', lastModified: 'Mon, 05 Jan 2026 10:00:00 GMT' };
const fields = { 'content-type': 'video/mp4', 'cache-control': 'max-age=60', date: 'x', 'set-cookie': 'a=1' };
const object = makeEntry({ validator, fields }, 1000, 1000, freshness, context);

const entries: Entry[] = [
  object,
  makeEntry({ validator: { etag: undefined, lastModified: undefined }, fields: {} }, 0, undefined, freshness, {
    ...context,
    nonce: 'n',
  }),
  { kind: 'vary', key: 'k', primary: 'k', epoch: 0, names: ['origin', 'x-b'] },
  { kind: 'pass', key: 'k', primary: 'k', epoch: 0, expires: 12 },
  {
    kind: 'error',
    key: 'k',
    primary: 'k',
    epoch: 1,
    expires: 99,
    error: new EdgeError('gone', 'no more', { retryAfter: 5, headers: { 'X-A': 'b' } }),
  },
  ...[undefined, Buffer.alloc(0), Buffer.from(Array.from({ length: 65_536 }, (_, i) => i & 255))].map(
    body =>
      ({
        kind: 'error',
        key: 'k',
        primary: 'k',
        epoch: 1,
        expires: 99,
        error: new EdgeError('origin_unavailable', 'out of order', {
          trouble: { origin: 'o', url: 'http://o/k', expected: 'bytes 0-9', found: 'status 503' },
          answer: {
            status: 503,
            fields: { 'content-type': 'text/html', 'www-authenticate': 'Basic' },
            body,
            vouched: 7,
          },
        }),
      }) as const,
  ),
];

describe('entry records', () => {
  for (const entry of entries) {
    it(`${entry.kind}: what is read is what was written`, () => {
      const read = decodeEntry(encodeEntry(entry), entry.key);
      if (entry.kind === 'error') {
        assert.ok(read?.kind === 'error');
        assert.deepEqual(
          [read.error.code, read.error.message, read.error.options],
          [entry.error.code, entry.error.message, entry.error.options],
        );
      } else assert.deepEqual(read, entry);
      assert.equal(decodeEntry(encodeEntry(entry), 'another key'), undefined);
    });
  }

  it('what is damaged is no entry, or one that is sound', () => {
    const record = Buffer.from(encodeEntry(object));
    fc.assert(
      fc.property(fc.nat(record.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(record);
        damaged[at] = byte;
        const read = decodeEntry(damaged, object.key);
        if (read?.kind === 'object') {
          assert.ok(Number.isSafeInteger(read.object.size) && read.object.size >= 0 && read.object.id.length === 4);
        }
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => assert.equal(decodeEntry(bytes, 'k'), undefined)),
    );
    const json = fc.json().map(text => Buffer.concat([Buffer.from([1]), Buffer.from(text)]));
    fc.assert(fc.property(json, bytes => assert.equal(decodeEntry(bytes, 'k'), undefined)));
    for (let length = 0; length < record.length; length++)
      assert.equal(decodeEntry(record.subarray(0, length), object.key), undefined);
  });

  it('an id depends on everything that tells versions apart', () => {
    const answer = { validator, fields };
    const ids = [
      object,
      makeEntry(answer, 1001, 1001, freshness, context),
      makeEntry(answer, 1000, undefined, freshness, context),
      makeEntry(answer, 1000, 1000, freshness, { ...context, epoch: 4 }),
      makeEntry(answer, 1000, 1000, freshness, { ...context, key: 'main/b.mp4' }),
      makeEntry(answer, 1000, 1000, freshness, { ...context, nonce: 'n' }),
      makeEntry({ validator: { ...validator, etag: '"v2"' }, fields }, 1000, 1000, freshness, context),
      makeEntry({ validator: { ...validator, lastModified: undefined }, fields }, 1000, 1000, freshness, context),
    ].map(entry => entry.object.id.join());
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(makeEntry(answer, 1000, 1000, freshness, context).object.id, object.object.id);
  });
});

describe('kept fields', () => {
  it('are those that are true of the object, not of one message, one connection or the origin’s host', () => {
    const sent = {
      'content-type': 'video/mp4',
      'content-length': '5',
      'content-range': 'bytes 0-4/5',
      date: 'x',
      age: '3',
      connection: 'close',
      'set-cookie': 'a=1',
      server: 's',
      'strict-transport-security': 'max-age=1',
      'alt-svc': 'h3',
      etag: '"v"',
      'cache-control': 'no-cache="x-secret", max-age=5',
      'x-secret': '1',
      'content-disposition': 'inline',
      __proto__: 'x',
    };
    assert.deepEqual(Object.keys(keptFields(sent)).sort(), [
      'cache-control',
      'content-disposition',
      'content-type',
      'etag',
    ]);
    assert.deepEqual(sentFields(keptFields(sent)), [
      ['cache-control', 'no-cache="x-secret", max-age=5'],
      ['content-disposition', 'inline'],
    ]);
  });

  it('are bounded in number and bytes, those that matter first', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x-${i}`, 'v'.repeat(100)]));
    const kept = keptFields({ ...many, 'cache-control': 'max-age=1' });
    assert.ok(Object.keys(kept).length <= 64);
    assert.equal(kept['cache-control'], 'max-age=1');
    // What digests the content of a part says nothing of the whole.
    const digests = { 'content-md5': 'x', 'content-digest': 'y' };
    assert.deepEqual(keptFields(digests), {});
    assert.deepEqual(keptFields(digests, { isWhole: true }), digests);
    const answers = [200, 206] as const;
    const stored = answers.map(
      status => makeEntry({ validator, fields: digests, status }, 9, 9, freshness, context).fields,
    );
    assert.deepEqual(stored, [digests, {}]);
    assert.deepEqual(keptFields({ 'x-huge': 'h'.repeat(100_000), 'x-a': '1' }), { 'x-a': '1' });
  });

  it('are replaced by what a 304 brings, but for what tells the version', () => {
    const kept = { 'content-type': 'video/mp4', 'x-a': '1', 'cache-control': 'max-age=1' };
    const updated = updatedFields(kept, {
      'content-type': 'text/plain',
      'cache-control': 'max-age=2',
      'x-b': '2',
      etag: '"w"',
    });
    assert.deepEqual(updated, { 'content-type': 'text/plain', 'x-a': '1', 'x-b': '2', 'cache-control': 'max-age=2' });
  });
});
