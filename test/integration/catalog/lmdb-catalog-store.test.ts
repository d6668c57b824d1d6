import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { catalogFile, LmdbCatalogStore } from '../../../src/catalog/lmdb-catalog-store.js';
import { storeKey } from '../../../src/catalog/object-identity.js';
import { Purger, Purges } from '../../../src/catalog/purge.js';
import { SlabTier } from '../../support/slab-tier.js';

const root = mkdtempSync(join(tmpdir(), 'moovedge-catalog-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

async function withStore(
  work: (store: LmdbCatalogStore, folder: string) => Promise<void>,
  { folder = join(root, String(folders++)), capacity = 64 * 1024 * 1024 } = {},
): Promise<string> {
  const store = new LmdbCatalogStore({ folder, capacity, owner: true, log: silentLog });
  try {
    await work(store, folder);
  } finally {
    await store.close();
  }
  return folder;
}

const value = (n: number, bytes = 500) => Buffer.alloc(bytes, `value ${n} `);

describe('LmdbCatalogStore', () => {
  it('gives back what was stored, also after it was closed', async () => {
    const folder = await withStore(async store => {
      await store.saveEntry(storeKey('a'), value(1));
      await store.saveEntry(storeKey('b'), value(2));
      await store.saveEntry(storeKey('a'), value(3));
      await store.saveEntry(storeKey('b'), undefined);
      assert.deepEqual(store.entry(storeKey('a')), value(3));
      store.indexes.put('id', 'mp4', value(4));
      store.savePurges(write => write(Buffer.from('list'), value(5)));
    });
    await withStore(
      async store => {
        assert.deepEqual(store.entry(storeKey('a')), value(3));
        assert.equal(store.entry(storeKey('b')), undefined);
        assert.deepEqual(store.indexes.get('id', 'mp4'), value(4));
        assert.equal(store.indexes.get('id', 'flv'), undefined);
        assert.deepEqual(store.purge(Buffer.from('list')), value(5));
      },
      { folder },
    );
  });

  it('keeps within its size by dropping what was stored longest ago, and purges never', async () => {
    const capacity = 8 * 1024 * 1024;
    const folder = await withStore(
      async store => {
        store.savePurges(write => write(Buffer.from('list'), value(5)));
        for (let i = 0; i < 48_000; i += 100) {
          await Promise.all(
            Array.from({ length: 100 }, (_, j) => store.saveEntry(storeKey(`k${i + j}`), value(i + j))),
          );
        }
        assert.ok(store.usedBytes < capacity * 1.2, `${store.usedBytes}`);
        assert.ok(store.usedBytes > capacity * 0.6, `${store.usedBytes}`);
        const kept = Array.from({ length: 48_000 }, (_, i) => store.entry(storeKey(`k${i}`)) !== undefined);
        const oldest = kept.indexOf(true);
        // Puts of one round may be committed in any order; beyond that it is strictly first in, first out.
        assert.ok(kept.slice(oldest + 200).every(Boolean));
        assert.ok(oldest > 1000 && kept.at(-1));
        assert.deepEqual(store.purge(Buffer.from('list')), value(5));
      },
      { capacity },
    );
    assert.ok(statSync(catalogFile(folder)).size < capacity * 2);
  });

  it('drops remembered errors before what is worth more', async () => {
    await withStore(
      async store => {
        for (let i = 0; i < 500; i++) await store.saveEntry(storeKey(`film ${i}`), value(i));
        for (let i = 0; i < 8000; i += 100) {
          await Promise.all(
            Array.from({ length: 100 }, (_, j) => store.saveEntry(storeKey(`404 ${i + j}`), value(i), true)),
          );
        }
        for (let i = 0; i < 500; i++) assert.ok(store.entry(storeKey(`film ${i}`)), `${i}`);
        assert.equal(store.entry(storeKey('404 0')), undefined);
        assert.ok(store.entry(storeKey('404 7999')));
      },
      { capacity: 1024 * 1024 },
    );
  });

  it('writes nothing to the disk for what is brief, and entries together', async () => {
    const folder = join(root, 'disk');
    const recent = join(root, 'memory');
    const open = () => new LmdbCatalogStore({ folder, recent, capacity: 2 ** 26, owner: true, log: silentLog });
    const store = open();
    const before = readFileSync(catalogFile(folder));
    for (let i = 0; i < 300; i++) await store.saveEntry(storeKey(`404 ${i}`), value(i), true);
    for (let i = 0; i < 20; i++) await store.saveEntry(storeKey(`film ${i}`), value(i));
    assert.ok(before.equals(readFileSync(catalogFile(folder))), 'not a byte of the file on the disk has changed');
    const other = open();
    assert.deepEqual(other.entry(storeKey('404 299')), value(299), 'other processes see it all the same');
    assert.deepEqual(other.entry(storeKey('film 19')), value(19));
    await Promise.all([store.close(), other.close()]);
    rmSync(recent, { recursive: true });
    const later = open();
    assert.deepEqual(later.entry(storeKey('film 0')), value(0), 'after a restart of the machine');
    assert.equal(later.entry(storeKey('404 0')), undefined);
    assert.ok(existsSync(recent));
    await later.close();
  });

  for (const written of [false, true]) {
    it(`never gives back what was replaced or removed, ${written ? '' : 'not yet '}on the disk`, async () => {
      const folder = await withStore(
        async store => {
          if (written) for (let i = 0; i < 3; i++) await store.saveEntry(storeKey(`film ${i}`), value(i));
        },
        { folder: join(root, `replaced-${written}`) },
      );
      await withStore(
        async store => {
          if (!written) for (let i = 0; i < 3; i++) await store.saveEntry(storeKey(`film ${i}`), value(i));
          await store.saveEntry(storeKey('film 0'), value(404), true);
          await store.saveEntry(storeKey('film 1'), undefined);
          await store.saveEntry(storeKey('film 2'), value(200));
          assert.deepEqual(store.entry(storeKey('film 0')), value(404));
          assert.equal(store.entry(storeKey('film 1')), undefined);
          assert.deepEqual(store.entry(storeKey('film 2')), value(200));
        },
        { folder },
      );
      for (const name of ['recent.mdb', 'recent.mdb-lock']) rmSync(join(folder, name));
      await withStore(
        async store => {
          assert.equal(store.entry(storeKey('film 0')), undefined, 'not the film that was replaced by a refusal');
          assert.equal(store.entry(storeKey('film 1')), undefined);
          assert.deepEqual(store.entry(storeKey('film 2')), value(200));
        },
        { folder },
      );
    });
  }

  it('writes an entry to the disk as the last process has stored it', async () => {
    const folder = await withStore(async (store, place) => {
      await withStore(
        async other => {
          await store.saveEntry(storeKey('film'), value(1));
          await other.saveEntry(storeKey('film'), value(2));
        },
        { folder: place },
      );
    });
    for (const name of ['recent.mdb', 'recent.mdb-lock']) rmSync(join(folder, name));
    await withStore(async store => assert.deepEqual(store.entry(storeKey('film')), value(2)), { folder });
  });

  it('keeps what is known of films through a flood of refusals', async () => {
    const folder = await withStore(async store => {
      for (let i = 0; i < 200; i++) await store.saveEntry(storeKey(`film ${i}`), value(i));
      for (let i = 0; i < 30_000; i += 500) {
        await Promise.all(
          Array.from({ length: 500 }, (_, j) => store.saveEntry(storeKey(`404 ${i + j}`), value(i), true)),
        );
      }
      for (let i = 0; i < 200; i++) assert.ok(store.entry(storeKey(`film ${i}`)), `${i}`);
      assert.equal(store.entry(storeKey('404 0')), undefined);
    });
    assert.ok(statSync(join(folder, 'recent.mdb')).size < 32 * 1024 * 1024);
  });

  it('sees in the same turn of the event loop what another process has committed', async () => {
    await withStore(async (store, folder) => {
      store.entry(storeKey('a'));
      // Another environment object on the same file stands for another process.
      const other = new LmdbCatalogStore({ folder, capacity: 2 ** 26, owner: false, log: silentLog });
      const tier = new SlabTier({ blocks: 1 });
      const purges = new Purges(store, tier);
      assert.equal(purges.marks('main/a').hard, 0);
      new Purger(other, tier).urls(['main/a'], false);
      assert.equal(purges.marks('main/a').hard, 1);
      void new Purger(other, tier).prefixes(['main/'], true);
      assert.deepEqual(purges.marks('main/a'), { hard: 1, soft: 2 });
      assert.deepEqual(purges.marks('other/a'), { hard: 0, soft: 0 });
      void new Purger(store, tier).all(false);
      assert.deepEqual(purges.marks('other/a'), { hard: 3, soft: 3 });
      assert.equal(purges.known, 3);
      await other.close();
    });
  });

  it('says so when it can not be opened', () => {
    const folder = join(root, 'a-file', 'catalog');
    writeFileSync(join(root, 'a-file'), '');
    assert.throws(() => new LmdbCatalogStore({ folder, capacity: 2 ** 26, owner: true, log: silentLog }), {
      code: 'store',
    });
  });
});
