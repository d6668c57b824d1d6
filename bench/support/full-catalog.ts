import { silentLog } from '../../src/base/log.js';
import { makeEntry } from '../../src/catalog/entry.js';
import { encodeEntry } from '../../src/catalog/entry-record.js';
import { LmdbCatalogStore } from '../../src/catalog/lmdb-catalog-store.js';
import { objectKey, storeKey } from '../../src/catalog/object-identity.js';

/** Name of the origin that is given on the command line. */
const ORIGIN = 'main';
const DAY = 24 * 60 * 60 * 1000;
const SIZE = 4096;
/** Bytes that a catalog may have by default. */
const CAPACITY = 2 ** 30;
/** Entries that are being stored at once. */
const AT_ONCE = 5000;

/** Path of an object of 4 KiB at a noise-origin.ts. */
export function objectPath(name: number | string): string {
  return `/${SIZE / 2 ** 20}/object-${name}.mp4`;
}

/**
 * Makes a catalog that knows objects 0 to `count` - 1, fresh for a day, as if their heads had been fetched.
 * @param folder where it lies
 * @returns its bytes on disk
 */
export async function fillCatalog(folder: string, count: number): Promise<number> {
  const store = new LmdbCatalogStore({ folder, capacity: CAPACITY, owner: true, log: silentLog });
  const freshness = {
    vouched: Date.now(),
    lifetime: DAY,
    staleWhileRevalidate: 0,
    staleIfError: 0,
    mustRevalidate: false,
  };
  const head = {
    validator: { etag: '"noise"', lastModified: undefined },
    fields: { 'content-type': 'video/mp4', 'cache-control': 'max-age=86400', etag: '"noise"' },
  };
  for (let made = 0; made < count; ) {
    const saves: Promise<void>[] = [];
    for (const end = Math.min(count, made + AT_ONCE); made < end; made++) {
      const path = objectPath(made);
      const key = objectKey(ORIGIN, path, '');
      const context = { key, primary: key, epoch: 0, path, varied: {}, authorized: false, validated: 0, nonce: '' };
      saves.push(store.saveEntry(storeKey(key), encodeEntry(makeEntry(head, SIZE, SIZE, freshness, context))));
    }
    await Promise.all(saves);
  }
  const bytes = store.usedBytes;
  await store.close();
  return bytes;
}
