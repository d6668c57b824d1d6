import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Purger, Purges } from '../../../src/catalog/purge.js';
import {
  marksOf,
  NO_PURGES,
  PREFIXES_MAX,
  type PurgeList,
  parsePurgeList,
  withAll,
  withPrefix,
} from '../../../src/catalog/purge-list.js';
import { MemoryCatalogStore } from '../../support/memory-catalog-store.js';
import { SlabTier } from '../../support/slab-tier.js';

const prefix = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 }).map(text => `o/${text}`);
const purge = fc.oneof(
  { weight: 10, arbitrary: fc.record({ prefix, soft: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ prefix: fc.constant(''), soft: fc.boolean() }) },
);

function apply(list: PurgeList, { prefix, soft }: { prefix: string; soft: boolean }): PurgeList {
  return prefix === '' ? withAll(list, soft) : withPrefix(list, prefix, soft);
}

describe('purge list', () => {
  it('says of each key what the purges in their order say', () => {
    fc.assert(
      fc.property(fc.array(purge, { maxLength: 30 }), prefix, (purges, key) => {
        const list = purges.reduce(apply, NO_PURGES);
        let [hard, soft] = [0, 0];
        purges.forEach((one, index) => {
          if (!key.startsWith(one.prefix)) return;
          if (!one.soft) hard = index + 1;
          soft = index + 1;
        });
        assert.deepEqual(marksOf(list, key), { hard, soft });
        assert.equal(list.sequence, purges.length);
        assert.deepEqual(parsePurgeList(Buffer.from(JSON.stringify(list))), list);
      }),
    );
  });

  it('stays short, and then purges too much rather than too little', () => {
    let list = NO_PURGES;
    for (let i = 0; i < 1000; i++) list = withPrefix(list, `main/films/${i}/`, i % 2 === 0);
    assert.equal(list.prefixes.length, PREFIXES_MAX);
    for (let i = 0; i < 1000; i++) {
      const marks = marksOf(list, `main/films/${i}/a.mp4`);
      assert.ok(i % 2 === 0 ? marks.soft >= i + 1 : marks.hard >= i + 1);
    }
    assert.deepEqual(marksOf(list, 'main/series/1'), { hard: 0, soft: 0 });
    for (let i = 0; i < 300; i++) list = withPrefix(list, `${i}`, false);
    assert.ok(list.prefixes.length <= PREFIXES_MAX);
    assert.ok(marksOf(list, '7').hard > 0);
  });

  it('finds what lies below a prefix however either is escaped, and nothing else', () => {
    const list = withPrefix(withPrefix(NO_PURGES, 'main/films/', false), 'main/caf%c3%a9(', false);
    for (const key of [
      'main/films/a',
      'main/fil%6Ds/%61',
      'main/films//a?b=%2f',
      'main/caf%C3%A9(1)',
      'main/c%61f%c3%A9%28',
    ]) {
      assert.ok(marksOf(list, key).hard > 0, key);
    }
    // An escaped slash parts no segments, and a query is no path.
    for (const key of ['main/films%2Fa', 'main//films/a', 'main/a?/films/', 'main/caf%C3%A8(', 'main/films']) {
      assert.equal(marksOf(list, key).hard, 0, key);
    }
  });

  it('that can not be read counts as a purge of everything', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"sequence":-1,"all":{},"prefixes":[]}',
      '{"sequence":1,"all":{"hard":0,"soft":0},"prefixes":[{}]}',
    ]) {
      assert.equal(parsePurgeList(Buffer.from(text)), undefined, text);
    }
    const store = new MemoryCatalogStore();
    const tier = new SlabTier({ blocks: 1 });
    store.savePurges(write => write(Buffer.from('list'), Buffer.from('{')));
    const { hard } = new Purges(store, tier).marks('main/a');
    assert.ok(hard > 1e9);
    void new Purger(store, tier).all(false);
    assert.ok(new Purges(store, tier).marks('main/a').hard > hard);
  });
});
