import { normalPath } from '../base/percent.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import type { CatalogStore } from './catalog-store.js';
import type { ObjectEntry } from './entry.js';
import { decodeEntry, objectHead } from './entry-record.js';
import { bucketOf, generationOf, PURGE_GENERATION, storeKey } from './object-identity.js';
import {
  latest,
  marked,
  marksOf,
  NO_PURGES,
  type PurgeList,
  type PurgeMarks,
  parsePurgeList,
  withAll,
  withPattern,
  withPrefix,
} from './purge-list.js';
import { type PatternSubject, type PurgePattern, purgeMatcher } from './purge-pattern.js';

/*
 * Purges are marks in the store, not work on what is stored, so each takes the same time whatever it concerns. Records:
 *   'list'              the `PurgeList` as JSON
 *   'u' u32 bucket      f64 hard, f64 soft: marks of a group of URLs, little-endian
 * A purge of one URL concerns its whole group of about one in a million; the others of the group are fetched again,
 * too. A shared counter tells the workers that the marks for a group, or the list, have changed.
 */
const LIST = Buffer.from('list');
const NO_MARKS: PurgeMarks = { hard: 0, soft: 0 };

/** Most groups of URLs whose marks a process keeps at hand: those of the lookups under way, and more. */
const AT_HAND_MAX = 256;

/** Milliseconds that counting may take: some hundred thousand entries. */
const COUNT_TIME = 1000;

/** How many objects a purge concerned that were not purged before. */
export interface PurgeCount {
  readonly objects: number;
  /** True when there are more, which were not counted. */
  readonly more: boolean;
}

/** What purges mean for entries, as a worker looks at it. */
export class Purges {
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;
  #list: PurgeList = NO_PURGES;
  #generation: number | undefined;
  /** Marks of groups of URLs as they stood at a value of the group's shared counter, for the list at hand. */
  readonly #atHand = new Map<number, { readonly generation: number; readonly marks: PurgeMarks }>();
  readonly #matchers = new WeakMap<PurgePattern, (subject: PatternSubject) => boolean>();

  constructor(store: CatalogStore, tier: MemoryTier) {
    this.#store = store;
    this.#tier = tier;
  }

  /** The latest purges that concern the URL of `key`. */
  marks(key: string): PurgeMarks {
    const list = marksOf(this.#current(), key);
    const bucket = bucketOf(key);
    // Before the store: a purge between the two is seen at the next look.
    const generation = this.#tier.generation(generationOf(bucket));
    const known = this.#atHand.get(bucket);
    if (known?.generation === generation) return latest(list, known.marks);
    const marks = bucketMarks(this.#store, bucket);
    if (this.#atHand.size >= AT_HAND_MAX) this.#atHand.clear();
    this.#atHand.set(bucket, { generation, marks });
    return latest(list, marks);
  }

  /**
   * Whether a purge by pattern concerns an object that was fetched before it, and so may have come into the store after
   * those that fit were marked there.
   * @param since sequence number of purges up to which that has been looked at
   */
  concerns({ primary, fields, validated }: ObjectEntry, since: number): boolean {
    const { patterns, forgotten } = this.#current();
    if (validated < forgotten) return true;
    const from = Math.max(validated, since);
    return patterns.some(({ pattern, sequence }) => from < sequence && this.#matcher(pattern)({ primary, fields }));
  }

  /** Whether an object has been purged, so that nobody is given it any more. */
  isPurged(entry: ObjectEntry): boolean {
    return entry.epoch < this.marks(entry.primary).hard || this.concerns(entry, 0);
  }

  #matcher(pattern: PurgePattern): (subject: PatternSubject) => boolean {
    let matcher = this.#matchers.get(pattern);
    if (matcher === undefined) {
      matcher = purgeMatcher(pattern);
      this.#matchers.set(pattern, matcher);
    }
    return matcher;
  }

  /** Sequence number of the last purge that this process knows of. */
  get known(): number {
    return this.#current().sequence;
  }

  #current(): PurgeList {
    const generation = this.#tier.generation(PURGE_GENERATION);
    if (generation !== this.#generation) {
      this.#list = readList(this.#store);
      this.#generation = generation;
      // A purge by a pattern marks groups, too, and tells of it by this counter alone.
      this.#atHand.clear();
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
   * @returns how many of them there were
   * @throws EdgeError `store` when the purge could not be written; then it has not taken effect
   */
  urls(keys: readonly string[], soft: boolean): PurgeCount {
    const objects = keys.filter(key => this.#isKnown(key)).length;
    const buckets = new Set(keys.map(bucketOf));
    this.#store.savePurges(write => {
      const list = readList(this.#store);
      const sequence = list.sequence + 1;
      write(LIST, encodeList({ ...list, sequence }));
      for (const bucket of buckets) {
        write(bucketKey(bucket), encodeMarks(marked(bucketMarks(this.#store, bucket), sequence, soft)));
      }
    });
    for (const bucket of buckets) this.#tier.bumpGeneration(generationOf(bucket));
    return { objects, more: false };
  }

  /**
   * Purges everything whose key begins with one of `prefixes`: an origin's name and the beginning of a path. It is in
   * effect when the call returns; what it resolves with is counted afterwards.
   * @throws EdgeError `store` by rejection, as `urls`
   */
  async prefixes(prefixes: readonly string[], soft: boolean): Promise<PurgeCount> {
    const before = this.#change(list => prefixes.reduce((all, prefix) => withPrefix(all, prefix, soft), list));
    const beginnings = prefixes.map(normalPath);
    return this.#count(before, key => {
      const path = normalPath(key.split('?', 1)[0]!);
      return beginnings.some(beginning => path.startsWith(beginning));
    });
  }

  /** Purges everything, as `prefixes`. */
  async all(soft: boolean): Promise<PurgeCount> {
    return this.#count(
      this.#change(list => withAll(list, soft)),
      () => true,
    );
  }

  /**
   * Purges all objects that fit a pattern, as `prefixes`: those that are stored are marked one by one, page by page.
   * @throws EdgeError `bad_request` for what is no pattern
   */
  async matching(pattern: PurgePattern, soft: boolean): Promise<PurgeCount> {
    const concerns = purgeMatcher(pattern);
    const before = this.#change(list => withPattern(list, pattern, soft));
    const sequence = before.sequence + 1;
    const found = new Set<string>();
    let objects = 0;
    for (const page of this.#store.entries()) {
      for (const record of page) {
        const key = objectHead(record)?.key;
        const entry = key === undefined ? undefined : decodeEntry(record, key);
        if (entry?.kind !== 'object' || entry.validated >= sequence || !concerns(entry)) continue;
        if (!found.has(entry.primary) && this.#marks(before, entry.primary).hard <= entry.epoch) objects++;
        found.add(entry.primary);
      }
      await new Promise(resolve => setImmediate(resolve));
    }
    const buckets = new Set([...found].map(bucketOf));
    this.#store.savePurges(write => {
      for (const bucket of buckets) {
        const marks = bucketMarks(this.#store, bucket);
        write(bucketKey(bucket), encodeMarks(latest(marks, marked(marks, sequence, soft))));
      }
    });
    this.#tier.bumpGeneration(PURGE_GENERATION);
    return { objects, more: false };
  }

  /** @returns the list before */
  #change(change: (list: PurgeList) => PurgeList): PurgeList {
    const before = readList(this.#store);
    this.#store.savePurges(write => write(LIST, encodeList(change(readList(this.#store)))));
    this.#tier.bumpGeneration(PURGE_GENERATION);
    return before;
  }

  #isKnown(key: string): boolean {
    const record = this.#store.entry(storeKey(key));
    const entry = record && decodeEntry(record, key);
    if (entry?.kind !== 'object' && entry?.kind !== 'vary') return false;
    return this.#marks(readList(this.#store), key).hard <= entry.epoch;
  }

  #marks(list: PurgeList, key: string): PurgeMarks {
    return latest(marksOf(list, key), bucketMarks(this.#store, bucketOf(key)));
  }

  /** Counts the objects that a purge by list concerned, page by page, so that other work has its turn. */
  async #count(before: PurgeList, concerns: (key: string) => boolean): Promise<PurgeCount> {
    const end = performance.now() + COUNT_TIME;
    /** URLs with variants. */
    const varied = new Set<string>();
    let objects = 0;
    for (const page of this.#store.entries()) {
      for (const record of page) {
        const head = objectHead(record);
        // What is newer came after the purge.
        if (head === undefined || head.epoch > before.sequence || !concerns(head.primary)) continue;
        if (this.#marks(before, head.primary).hard > head.epoch) continue;
        if (head.key === head.primary) objects++;
        else varied.add(head.primary);
      }
      if (performance.now() > end) return { objects: objects + varied.size, more: true };
      await new Promise(resolve => setImmediate(resolve));
    }
    return { objects: objects + varied.size, more: false };
  }
}

/** Stands for a list that can't be read: everything before it counts as purged, so that nothing purged comes back. */
const DAMAGED: PurgeList = { ...NO_PURGES, sequence: 2 ** 40, all: { hard: 2 ** 40, soft: 2 ** 40 } };

/** The list in the store. */
function readList(store: CatalogStore): PurgeList {
  const record = store.purge(LIST);
  return record === undefined ? NO_PURGES : (parsePurgeList(record) ?? DAMAGED);
}

function encodeList(list: PurgeList): Uint8Array {
  return Buffer.from(JSON.stringify(list));
}

/** The marks of a group of URLs in the store. */
function bucketMarks(store: CatalogStore, bucket: number): PurgeMarks {
  const record = store.purge(bucketKey(bucket));
  return record === undefined ? NO_MARKS : readMarks(record);
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
