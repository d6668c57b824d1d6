import type { MemoryTier } from '../cache/memory/memory-tier.js';
import type { CatalogStore } from './catalog-store.js';
import { bucketOf, generationOf, PURGE_GENERATION } from './object-identity.js';
import {
  latest,
  marked,
  marksOf,
  NO_PURGES,
  type PurgeList,
  type PurgeMarks,
  parsePurgeList,
  withAll,
  withPrefix,
} from './purge-list.js';

/*
 * Purges are marks in the store, not work on what is stored, so each takes the same time whatever it concerns. Records:
 *   'list'              the `PurgeList` as JSON
 *   'u' u32 bucket      f64 hard, f64 soft: marks of a group of URLs, little-endian
 * A purge of one URL concerns its whole group of about one in a million; the others of the group are fetched again,
 * too. A shared counter tells the workers that the marks for a group, or the list, have changed.
 */
const LIST = Buffer.from('list');
const NO_MARKS: PurgeMarks = { hard: 0, soft: 0 };

/** What purges mean for entries, as a worker looks at it. */
export class Purges {
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;
  #list: PurgeList = NO_PURGES;
  #generation: number | undefined;

  constructor(store: CatalogStore, tier: MemoryTier) {
    this.#store = store;
    this.#tier = tier;
  }

  /** The latest purges that concern the URL of `key`. */
  marks(key: string): PurgeMarks {
    const record = this.#store.purge(bucketKey(bucketOf(key)));
    return latest(marksOf(this.#current(), key), record === undefined ? NO_MARKS : readMarks(record));
  }

  /** Sequence number of the last purge, as it stands in the store. */
  sequence(): number {
    return readList(this.#store).sequence;
  }

  #current(): PurgeList {
    const generation = this.#tier.generation(PURGE_GENERATION);
    if (generation !== this.#generation) {
      this.#list = readList(this.#store);
      this.#generation = generation;
    }
    return this.#list;
  }
}

/**
 * Makes purges. They are in effect in all workers when a method returns. For processes without players: waits for the
 * disk.
 */
export class Purger {
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;

  constructor(store: CatalogStore, tier: MemoryTier) {
    this.#store = store;
    this.#tier = tier;
  }

  /**
   * Purges URLs by their keys, see `objectKey`, with all their variants and seek answers.
   * @param soft marks them stale instead of worthless
   * @throws EdgeError `store` when the purge could not be written; then it has not taken effect
   */
  urls(keys: readonly string[], soft: boolean): void {
    const buckets = new Set(keys.map(bucketOf));
    this.#store.savePurges(write => {
      const list = readList(this.#store);
      const sequence = list.sequence + 1;
      write(LIST, encodeList({ ...list, sequence }));
      for (const bucket of buckets) {
        const record = this.#store.purge(bucketKey(bucket));
        const before = record === undefined ? NO_MARKS : readMarks(record);
        write(bucketKey(bucket), encodeMarks(marked(before, sequence, soft)));
      }
    });
    for (const bucket of buckets) this.#tier.bumpGeneration(generationOf(bucket));
  }

  /**
   * Purges everything whose key begins with `prefix`: an origin's name and the beginning of a path.
   * @throws EdgeError `store`, as `urls`
   */
  prefix(prefix: string, soft: boolean): void {
    this.#change(list => withPrefix(list, prefix, soft));
  }

  /** Purges everything. @throws EdgeError `store`, as `urls` */
  all(soft: boolean): void {
    this.#change(list => withAll(list, soft));
  }

  #change(change: (list: PurgeList) => PurgeList): void {
    this.#store.savePurges(write => write(LIST, encodeList(change(readList(this.#store)))));
    this.#tier.bumpGeneration(PURGE_GENERATION);
  }
}

/** Stands for a list that can't be read: everything before it counts as purged, so that nothing purged comes back. */
const DAMAGED: PurgeList = { sequence: 2 ** 40, all: { hard: 2 ** 40, soft: 2 ** 40 }, prefixes: [] };

/** The list in the store. */
function readList(store: CatalogStore): PurgeList {
  const record = store.purge(LIST);
  return record === undefined ? NO_PURGES : (parsePurgeList(record) ?? DAMAGED);
}

function encodeList(list: PurgeList): Uint8Array {
  return Buffer.from(JSON.stringify(list));
}

function bucketKey(bucket: number): Uint8Array {
  const key = Buffer.alloc(5, 'u');
  key.writeUInt32LE(bucket, 1);
  return key;
}

function encodeMarks({ hard, soft }: PurgeMarks): Uint8Array {
  const record = Buffer.alloc(16);
  record.writeDoubleLE(hard, 0);
  record.writeDoubleLE(soft, 8);
  return record;
}

function readMarks(record: Uint8Array): PurgeMarks {
  if (record.length !== 16) return NO_MARKS;
  const buffer = Buffer.from(record.buffer, record.byteOffset, record.length);
  const [hard, soft] = [buffer.readDoubleLE(0), buffer.readDoubleLE(8)];
  return Number.isSafeInteger(hard) && Number.isSafeInteger(soft) ? { hard, soft } : NO_MARKS;
}
