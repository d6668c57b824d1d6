import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Entry, makeEntry } from '../../../src/catalog/entry.js';
import { encodeEntry, objectHead } from '../../../src/catalog/entry-record.js';
import { storeKey } from '../../../src/catalog/object-identity.js';
import { Purger, Purges } from '../../../src/catalog/purge.js';
import { MemoryCatalogStore } from '../../support/memory-catalog-store.js';
import { SlabTier } from '../../support/slab-tier.js';

const freshness = { vouched: 1, lifetime: 60_000, staleWhileRevalidate: 0, staleIfError: 0, mustRevalidate: false };
const validator = { etag: '"v1"', lastModified: undefined };

function object(primary: string, key = primary, epoch = 0): Entry {
  const context = { key, primary, epoch, path: '/a.mp4', varied: {}, authorized: false, validated: 0, nonce: '' };
  return makeEntry({ validator, fields: {} }, 10, 10, freshness, context);
}

async function world(entries: readonly Entry[]) {
  const store = new MemoryCatalogStore();
  const tier = new SlabTier({ blocks: 1 });
  for (const entry of entries) await store.saveEntry(storeKey(entry.key), encodeEntry(entry));
  return { store, purger: new Purger(store, tier), purges: new Purges(store, tier) };
}

describe('a purge counts', () => {
  const entries: Entry[] = [
    object('o/a/1'),
    object('o/a/2?x="\\'),
    object('o/a/%33'),
    object('o/b/1'),
    { kind: 'vary', key: 'o/a/v', primary: 'o/a/v', epoch: 0, names: ['origin'] },
    object('o/a/v', 'o/a/v\norigin:a'),
    object('o/a/v', 'o/a/v\norigin:b'),
    { kind: 'pass', key: 'o/a/p', primary: 'o/a/p', epoch: 0, expires: 12 },
  ];

  it('the objects that it concerns, with variants as one, and none twice', async () => {
    const { purger } = await world(entries);
    assert.deepEqual(await purger.prefixes(['o/a/3', 'o/a/1'], true), { objects: 2, more: false });
    assert.deepEqual(purger.urls(['o/a/1', 'o/a/v', 'o/a/p', 'o/none'], false), { objects: 2, more: false });
    assert.deepEqual(purger.urls(['o/a/1'], false), { objects: 0, more: false });
    assert.deepEqual(await purger.prefixes(['o/a/'], false), { objects: 2, more: false });
    assert.deepEqual(await purger.prefixes(['o/a/'], false), { objects: 0, more: false });
    assert.deepEqual(await purger.all(false), { objects: 1, more: false });
    assert.deepEqual(await purger.all(false), { objects: 0, more: false });
  });

  it('nothing that came after it, and takes effect before it has counted', async () => {
    const { store, purger, purges } = await world(entries);
    const counted = purger.all(false);
    const { hard } = purges.marks('o/b/1');
    assert.equal(hard, 1);
    await store.saveEntry(storeKey('o/b/1'), encodeEntry(object('o/b/1', 'o/b/1', hard)));
    await counted;
    assert.deepEqual(await purger.prefixes(['o/b/'], false), { objects: 1, more: false });
  });

  it('keys of any length, and takes no damaged record for an object', () => {
    const long = `o/${'é"\\'.repeat(3000)}`;
    assert.deepEqual(objectHead(encodeEntry(object(long, `${long}\nx:1`, 7))), {
      key: `${long}\nx:1`,
      primary: long,
      epoch: 7,
    });
    const record = encodeEntry(object('o/a'));
    for (let length = 0; length < 30; length++) assert.equal(objectHead(record.subarray(0, length)), undefined);
    record[0] = 9;
    assert.equal(objectHead(record), undefined);
  });
});
