import type { EdgeError } from '../base/errors.js';
import { Lru } from '../base/lru.js';
import type { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import type { CatalogStore } from './catalog-store.js';
import { type Entry, isSameVersion } from './entry.js';
import { decodeEntry, encodeEntry } from './entry-record.js';
import { bucketOf, generationOf, PURGE_GENERATION, storeKey } from './object-identity.js';
import type { Purges } from './purge.js';

/** Bytes that an entry takes in memory beside its texts: objects and maps of V8, and those of its loader. */
const OVERHEAD = 2048;

const DONE = Promise.resolve();

/** A stored entry, and when the other processes see it. */
export interface Saved {
  readonly cached: CachedEntry;
  readonly committed: Promise<void>;
}

/** An entry as this process holds it: metadata, and what brings its bytes. */
export class CachedEntry {
  /**
   * The error of the last try to revalidate, and until when (milliseconds since 1970) the origin is not asked again.
   */
  failure: EdgeError | undefined;
  failedUntil = 0;
  /** A soft purge has marked it stale. */
  markedStale = false;
  /** Shared counters of its bucket and of purges, as they were when it was last found to be what the store has. */
  generation = 0;
  purgeGeneration = 0;
  /** Sequence number of purges up to which those by pattern were found not to concern it. */
  unconcerned = 0;
  /** Not yet seen by other processes. */
  pending = false;
  /** Answers go on by it without asking here, for as long as the counters stand: they move before it is replaced. */
  stands = false;
  /** Set by `ObjectLoaders`. */
  loader: ObjectLoader | undefined;

  constructor(
    readonly entry: Entry,
    /** Shared counter of its bucket. */
    readonly index: number,
  ) {}
}

/** An entry of the same key has taken the place of `before` in memory: of the same version or of another one. */
export type EntryReplaced = (before: CachedEntry, after: CachedEntry) => void;

/**
 * The entries of the catalog: those used last in memory, all of them in the store. Shared counters tell when another
 * process has changed an entry or made a purge; then the entry is read again. No messages go between the processes.
 */
export class EntryCache {
  readonly #lru: Lru<CachedEntry>;
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;
  readonly #purges: Purges;
  readonly #replaced: EntryReplaced;
  /** The key that was last found not to be in the store, and the counters then: who is to bring it looks again. */
  #absent = { key: '', generation: 0, purgeGeneration: 0 };
  /** Keys whose entry is being removed from the store, where it can still be read. */
  readonly #removing = new Set<string>();

  /**
   * @param capacity bytes of entries in memory
   * @param replaced told of each entry that takes another one's place
   */
  constructor(store: CatalogStore, tier: MemoryTier, purges: Purges, capacity: number, replaced: EntryReplaced) {
    this.#lru = new Lru(capacity);
    this.#store = store;
    this.#tier = tier;
    this.#purges = purges;
    this.#replaced = replaced;
  }

  /** Bytes of the entries in memory. */
  get bytes(): number {
    return this.#lru.bytes;
  }

  /**
   * The entry under `key`, as it stands on this machine; undefined when there is none or it was purged.
   * @param primary key of the URL; differs from `key` for a variant
   */
  find(key: string, primary: string): CachedEntry | undefined {
    const cached = this.#lru.get(key);
    if (cached !== undefined && this.#isCurrent(cached)) return cached;
    if (this.#removing.has(key)) return undefined;
    return this.#load(key, primary, cached);
  }

  /**
   * Stores an entry. This process sees it at once.
   * @param before what was found before, perhaps under another key
   * @returns the entry, and a promise that settles when the other processes see it
   */
  save(entry: Entry, before: CachedEntry | undefined): Saved {
    const cached = this.#put(entry, before);
    if (cached === undefined) return { cached: new CachedEntry(entry, 0), committed: DONE };
    cached.pending = true;
    this.#removing.delete(entry.key);
    const isBrief = entry.kind === 'error' || entry.kind === 'pass';
    const committed = this.#store.saveEntry(storeKey(entry.key), encodeEntry(entry), isBrief).then(() => {
      this.#announce(cached.index, cached);
      cached.pending = false;
    });
    return { cached, committed };
  }

  /** Keeps an entry for this process only, while it stays in memory. */
  keep(entry: Entry, before: CachedEntry | undefined): Saved {
    return { cached: this.#put(entry, before) ?? new CachedEntry(entry, 0), committed: DONE };
  }

  /** Keeps an entry whose bytes are still coming: for this process only, until it is saved or removed. */
  begin(entry: Entry, before: CachedEntry | undefined): CachedEntry {
    const cached = this.#put(entry, before) ?? new CachedEntry(entry, 0);
    cached.pending = true;
    return cached;
  }

  /** Saves an entry whose bytes have come, unless another version has taken its place meanwhile. */
  finish(entry: Entry): void {
    const current = this.find(entry.key, entry.primary);
    if (current === undefined || current.entry.kind !== 'object' || isSameVersion(current.entry, entry)) {
      void this.save(entry, current);
    }
  }

  /** Removes the entry of an object that the origin no longer has in this version. Another version's entry stays. */
  remove(entry: Entry): void {
    const current = this.find(entry.key, entry.primary);
    if (current === undefined || !isSameVersion(current.entry, entry)) return;
    this.#fell(current);
    this.#lru.delete(entry.key);
    this.#removing.add(entry.key);
    void this.#store.saveEntry(storeKey(entry.key), undefined).then(() => {
      this.#removing.delete(entry.key);
      this.#announce(current.index, undefined);
    });
  }

  /** Tells the other processes; an entry that is what the store has need not be read again by this one. */
  #announce(index: number, cached: CachedEntry | undefined): void {
    const before = this.#tier.generation(index);
    this.#tier.bumpGeneration(index);
    if (cached?.generation === before) cached.generation = before + 1;
  }

  /** What was known stands no more, in this process before others can see what is known instead. */
  #fell(known: CachedEntry): void {
    if (known.stands) this.#tier.bumpGeneration(known.index);
  }

  #isCurrent(cached: CachedEntry): boolean {
    return (
      cached.generation === this.#tier.generation(cached.index) &&
      cached.purgeGeneration === this.#tier.generation(PURGE_GENERATION)
    );
  }

  #load(key: string, primary: string, known: CachedEntry | undefined): CachedEntry | undefined {
    const index = known?.index ?? generationOf(bucketOf(primary));
    if (known?.pending) {
      this.#stamp(known);
      return this.#isPurged(known) ? this.#forget(key) : known;
    }
    const generation = this.#tier.generation(index);
    const purgeGeneration = this.#tier.generation(PURGE_GENERATION);
    const absent = this.#absent;
    if (key === absent.key && generation === absent.generation && purgeGeneration === absent.purgeGeneration)
      return this.#forget(key);
    const record = this.#store.entry(storeKey(key));
    if (record === undefined) this.#absent = { key, generation, purgeGeneration };
    const entry = record && decodeEntry(record, key);
    if (entry === undefined || entry.primary !== primary) return this.#forget(key);
    // One that was kept for this process only is the later one.
    const cached = known !== undefined && isLater(known.entry, entry) ? known : new CachedEntry(entry, index);
    cached.generation = generation;
    cached.purgeGeneration = purgeGeneration;
    if (this.#isPurged(cached)) return this.#forget(key);
    if (cached === known) return known;
    if (known !== undefined) this.#replaced(known, cached);
    if (known !== undefined && !isLater(entry, known.entry)) {
      cached.failure = known.failure;
      cached.failedUntil = known.failedUntil;
    }
    this.#lru.set(key, cached, weightOf(entry));
    return cached;
  }

  /**
   * Puts an entry into memory; undefined when a purge since its fetch began makes it of no use to anybody but who is
   * being answered.
   */
  #put(entry: Entry, before: CachedEntry | undefined): CachedEntry | undefined {
    const cached = new CachedEntry(entry, generationOf(bucketOf(entry.primary)));
    const known = before?.entry.key === entry.key ? before : this.#lru.get(entry.key);
    if (known !== undefined) this.#fell(known);
    this.#stamp(cached);
    if (this.#isPurged(cached)) return undefined;
    if (known !== undefined) this.#replaced(known, cached);
    this.#lru.set(entry.key, cached, weightOf(entry));
    return cached;
  }

  /**
   * Remembers the counters. Before what they tell of is looked at, so that a change between the two is seen as one at
   * the next look.
   */
  #stamp(cached: CachedEntry): void {
    cached.generation = this.#tier.generation(cached.index);
    cached.purgeGeneration = this.#tier.generation(PURGE_GENERATION);
  }

  /** Whether the entry was purged; marks it stale when a soft purge says so. */
  #isPurged(cached: CachedEntry): boolean {
    const { entry } = cached;
    const marks = this.#purges.marks(entry.primary);
    cached.markedStale = entry.kind === 'object' && entry.validated < marks.soft;
    if (entry.epoch < marks.hard) return true;
    if (entry.kind !== 'object' || cached.unconcerned >= this.#purges.known) return false;
    if (this.#purges.concerns(entry, cached.unconcerned)) return true;
    cached.unconcerned = this.#purges.known;
    return false;
  }

  #forget(key: string): undefined {
    this.#lru.delete(key);
  }
}

/** True when `a` is of the same version as `b` and was validated later. */
function isLater(a: Entry, b: Entry): boolean {
  return a.kind === 'object' && b.kind === 'object' && isSameVersion(a, b) && a.freshness.vouched > b.freshness.vouched;
}

/** Bytes that an entry takes in memory, about. */
function weightOf(entry: Entry): number {
  let characters = 2 * entry.key.length;
  if (entry.kind === 'object')
    for (const [name, value] of Object.entries(entry.fields)) characters += 2 * (name.length + value.length);
  const body = entry.kind === 'error' ? (entry.error.options.answer?.body?.length ?? 0) : 0;
  return OVERHEAD + 2 * characters + body;
}
