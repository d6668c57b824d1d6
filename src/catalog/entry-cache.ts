import { EdgeError } from '../base/errors.js';
import { Lru } from '../base/lru.js';
import type { ObjectSupply } from '../cache/fetch/object-loader.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import type { CatalogStore } from './catalog-store.js';
import type { Entry } from './entry.js';
import { decodeEntry, encodeEntry } from './entry-record.js';
import { bucketOf, generationOf, idText, PURGE_GENERATION, storeKey } from './object-identity.js';
import type { Purges } from './purge.js';

/** Bytes that an entry takes in memory beside its texts: objects and maps of V8, and its supply. */
const OVERHEAD = 2048;

const DONE = Promise.resolve();

/** A stored entry, and when the other processes see it. */
export interface Saved {
  readonly loaded: Loaded;
  readonly committed: Promise<void>;
}

/** An entry as this process holds it. */
export class Loaded {
  /** Brings the object's bytes; made when first wanted. */
  supply: ObjectSupply | undefined;
  /** The error of the last try to revalidate, and until when (milliseconds since 1970) the origin is not asked again. */
  failure: EdgeError | undefined;
  failedUntil = 0;
  /** A soft purge has marked it stale. */
  markedStale = false;
  /** Counters when it was found to be what the store has. */
  generation = 0;
  purgeGeneration = 0;
  /** Not yet seen by other processes. */
  pending = false;

  constructor(
    readonly entry: Entry,
    readonly index: number,
  ) {}
}

/**
 * The entries of the catalog: those used last in memory, all of them in the store. Shared counters tell when another process has changed
 * an entry or made a purge; then it is read again, without a word between the processes.
 */
export class EntryCache {
  readonly #lru: Lru<Loaded>;
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;
  readonly #purges: Purges;
  /** Keys whose entry is being removed from the store, where it can still be read. */
  readonly #removing = new Set<string>();

  /** @param capacity bytes of entries in memory */
  constructor(store: CatalogStore, tier: MemoryTier, purges: Purges, capacity: number) {
    this.#lru = new Lru(capacity);
    this.#store = store;
    this.#tier = tier;
    this.#purges = purges;
  }

  /** Bytes of the entries in memory. */
  get bytes(): number {
    return this.#lru.bytes;
  }

  /**
   * The entry under `key`, as it stands on this machine; undefined when there is none or it was purged.
   * @param primary key of the URL; differs from `key` for a variant
   */
  find(key: string, primary: string): Loaded | undefined {
    const loaded = this.#lru.get(key);
    if (loaded !== undefined && this.#isCurrent(loaded)) return loaded;
    if (this.#removing.has(key)) return undefined;
    return this.#load(key, primary, loaded);
  }

  /**
   * Stores an entry. This process sees it at once.
   * @param before what was found before, perhaps under another key
   * @returns the entry, and a promise that settles when the other processes see it
   */
  save(entry: Entry, before: Loaded | undefined): Saved {
    const loaded = this.#put(entry, before);
    if (loaded === undefined) return { loaded: new Loaded(entry, 0), committed: DONE };
    loaded.pending = true;
    this.#removing.delete(entry.key);
    const isBrief = entry.kind === 'error' || entry.kind === 'pass';
    const committed = this.#store.saveEntry(storeKey(entry.key), encodeEntry(entry), isBrief).then(() => {
      this.#announce(loaded.index, loaded);
      loaded.pending = false;
    });
    return { loaded, committed };
  }

  /** Keeps an entry for this process only, while it stays in memory. */
  keep(entry: Entry, before: Loaded | undefined): Saved {
    return { loaded: this.#put(entry, before) ?? new Loaded(entry, 0), committed: DONE };
  }

  /** Removes the entry of an object that the origin no longer has in this version. Another version's entry stays. */
  remove(entry: Entry): void {
    const current = this.find(entry.key, entry.primary);
    if (current === undefined || !isSameVersion(current.entry, entry)) return;
    this.#lru.delete(entry.key);
    this.#removing.add(entry.key);
    void this.#store.saveEntry(storeKey(entry.key), undefined).then(() => {
      this.#removing.delete(entry.key);
      this.#announce(current.index, undefined);
    });
  }

  /** Tells the other processes; an entry that is what the store has need not be read again by this one. */
  #announce(index: number, loaded: Loaded | undefined): void {
    const before = this.#tier.generation(index);
    this.#tier.bumpGeneration(index);
    if (loaded?.generation === before) loaded.generation = before + 1;
  }

  #isCurrent(loaded: Loaded): boolean {
    return (
      loaded.generation === this.#tier.generation(loaded.index) &&
      loaded.purgeGeneration === this.#tier.generation(PURGE_GENERATION)
    );
  }

  #load(key: string, primary: string, known: Loaded | undefined): Loaded | undefined {
    const index = known?.index ?? generationOf(bucketOf(primary));
    if (known?.pending) {
      this.#stamp(known);
      return this.#isPurged(known) ? this.#forget(key) : known;
    }
    const generation = this.#tier.generation(index);
    const purgeGeneration = this.#tier.generation(PURGE_GENERATION);
    const record = this.#store.entry(storeKey(key));
    const entry = record && decodeEntry(record, key);
    if (entry === undefined || entry.primary !== primary) return this.#forget(key);
    // One that was kept for this process only is the later one.
    const loaded = known !== undefined && isLater(known.entry, entry) ? known : new Loaded(entry, index);
    loaded.generation = generation;
    loaded.purgeGeneration = purgeGeneration;
    if (this.#isPurged(loaded)) return this.#forget(key);
    if (loaded === known) return known;
    succeed(known, loaded);
    if (known !== undefined && !isLater(entry, known.entry)) {
      loaded.failure = known.failure;
      loaded.failedUntil = known.failedUntil;
    }
    this.#lru.set(key, loaded, weightOf(entry));
    return loaded;
  }

  /** Puts an entry into memory; undefined when a purge since its fetch began makes it of no use to anybody but who is being answered. */
  #put(entry: Entry, before: Loaded | undefined): Loaded | undefined {
    const loaded = new Loaded(entry, generationOf(bucketOf(entry.primary)));
    this.#stamp(loaded);
    if (this.#isPurged(loaded)) return undefined;
    succeed(before?.entry.key === entry.key ? before : this.#lru.get(entry.key), loaded);
    this.#lru.set(entry.key, loaded, weightOf(entry));
    return loaded;
  }

  /** Remembers the counters. Before what they tell of is looked at, so that a change between the two is seen as one at the next look. */
  #stamp(loaded: Loaded): void {
    loaded.generation = this.#tier.generation(loaded.index);
    loaded.purgeGeneration = this.#tier.generation(PURGE_GENERATION);
  }

  /** Whether the entry was purged; marks it stale when a soft purge says so. */
  #isPurged(loaded: Loaded): boolean {
    const { entry } = loaded;
    const marks = this.#purges.marks(entry.primary);
    loaded.markedStale = entry.kind === 'object' && entry.validated < marks.soft;
    return entry.epoch < marks.hard;
  }

  #forget(key: string): undefined {
    this.#lru.delete(key);
  }
}

/** Hands on what brings the object's bytes when the version is the same; otherwise the old version's answers must do with what is cached. */
function succeed(before: Loaded | undefined, after: Loaded): void {
  if (before?.supply === undefined) return;
  if (isSameVersion(before.entry, after.entry)) after.supply = before.supply;
  else if (after.entry.kind === 'object') {
    before.supply.retire(
      new EdgeError('object_changed', 'the file changed at the origin while it was being read: ask again'),
    );
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
  return OVERHEAD + 2 * characters;
}

function isSameVersion(a: Entry, b: Entry): boolean {
  return a.kind === 'object' && b.kind === 'object' && idText(a.object.id) === idText(b.object.id);
}
