import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bucketOf, generationOf } from '../../../src/catalog/object-identity.js';
import { Purger, Purges } from '../../../src/catalog/purge.js';
import { MemoryCatalogStore } from '../../support/memory-catalog-store.js';
import { SlabTier } from '../../support/slab-tier.js';

/** A store that counts how often purges are read. */
class CountingStore extends MemoryCatalogStore {
  reads = 0;

  override purge(key: Uint8Array): Uint8Array | undefined {
    this.reads++;
    return super.purge(key);
  }
}

function world() {
  const store = new CountingStore();
  const tier = new SlabTier({ blocks: 1 });
  return { store, tier, purger: new Purger(store, tier), purges: new Purges(store, tier) };
}

describe('the marks of purges', () => {
  it('are read once for as long as nothing is told to have changed', () => {
    const { store, tier, purges } = world();
    purges.marks('o/a');
    const { reads } = store;
    for (let i = 0; i < 10; i++) purges.marks('o/a');
    assert.equal(store.reads, reads);
    tier.bumpGeneration(generationOf(bucketOf('o/a')));
    purges.marks('o/a');
    assert.equal(store.reads, reads + 1);
  });

  it('are those after each purge of any kind, and the last purge of the URL counts as known', async () => {
    const { purger, purges } = world();
    const expectMarks = (hard: number, soft: number) => {
      assert.deepEqual(purges.marks('o/a'), { hard, soft });
      assert.deepEqual(purges.marks('o/a'), { hard, soft });
    };
    expectMarks(0, 0);
    purger.urls(['o/a'], true);
    expectMarks(0, 1);
    purger.urls(['o/a', 'o/b'], false);
    expectMarks(2, 2);
    await purger.prefixes(['o/'], true);
    expectMarks(2, 3);
    await purger.matching({ kind: 'glob', text: '/c*', places: [] }, false);
    expectMarks(2, 3);
    await purger.all(false);
    expectMarks(5, 5);
    assert.equal(purges.known, 5);
  });

  it('of an object are read again after a purge by a pattern, which tells of the list alone', async () => {
    const { store, purger, purges, tier } = world();
    purges.marks('o/a');
    store.savePurges(write => {
      const key = Buffer.alloc(5, 'u');
      key.writeUInt32LE(bucketOf('o/a'), 1);
      const record = Buffer.alloc(16);
      record.writeDoubleLE(7, 0);
      write(key, record);
    });
    assert.equal(purges.marks('o/a').hard, 0);
    tier.bumpGeneration(0);
    assert.equal(purges.marks('o/a').hard, 7);
    await purger.all(true);
    assert.deepEqual(purges.marks('o/a'), { hard: 7, soft: 1 });
  });

  it('of many groups do not pile up, and stay right', () => {
    const { purger, purges } = world();
    const keys = Array.from({ length: 1000 }, (_, i) => `o/${i}`);
    for (const key of keys) purges.marks(key);
    purger.urls(keys, false);
    for (const key of keys) assert.equal(purges.marks(key).hard, 1);
  });
});
