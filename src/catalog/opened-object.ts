import type { Asker } from '../base/asker.js';
import type { ByteSource } from '../base/byte-source.js';
import type { CacheOutcome } from '../base/cache-outcome.js';
import type { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { Demand } from '../cache/fetch/waiters.js';
import type { BlockReader } from '../cache/read/block-reader.js';
import { type Begun, CachedReader } from '../cache/read/reader.js';
import { ReaderSource } from '../cache/read/reader-source.js';
import type { OpenObject, Standing } from './content.js';
import type { ObjectEntry } from './entry.js';
import type { CachedEntry } from './entry-cache.js';
import { PURGE_GENERATION } from './object-identity.js';
import { ageOf } from './rfc9111/freshness.js';
import type { StoredObject } from './stored-object.js';

/**
 * An object in the hands of one request. What its first fetch has begun goes on until a reader takes it over or it is
 * released.
 */
export class OpenedObject implements OpenObject, Demand {
  readonly kind = 'object';
  readonly object: StoredObject;
  readonly age: number;
  readonly #loader: ObjectLoader;
  readonly #asker: Asker;
  #begun: Begun | undefined;
  readonly #standing: CachedEntry | undefined;

  /**
   * @param now milliseconds since 1970, for the age
   * @param asker for whom it is opened
   * @param begun what the first fetch has begun
   * @param standing the entry, where every request for the URL that comes without conditions is answered by it
   */
  constructor(
    { object, freshness }: Pick<ObjectEntry, 'object' | 'freshness'>,
    now: number,
    readonly outcome: CacheOutcome | undefined,
    loader: ObjectLoader,
    asker: Asker,
    begun?: Begun,
    standing?: CachedEntry,
  ) {
    this.object = object;
    this.age = Math.floor(ageOf(freshness, now) / 1000);
    this.#loader = loader;
    this.#asker = asker;
    this.#begun = begun;
    this.#standing = standing;
    if (begun !== undefined) loader.demand(this);
  }

  wantedUpTo(block: number): number {
    const { from, to } = this.#begun!;
    return block >= from && block < to ? to : 0;
  }

  reader(): BlockReader {
    const begun = this.#begun;
    this.#letGo();
    return new CachedReader(this.#loader, begun, this.#asker);
  }

  standing(): Standing | undefined {
    const cached = this.#standing;
    if (cached?.entry.kind !== 'object' || cached.pending) return undefined;
    cached.stands = true;
    const { vouched, lifetime } = cached.entry.freshness;
    return {
      id: this.#loader.id,
      vouched,
      until: vouched + lifetime,
      entry: [cached.index, cached.generation],
      purges: [PURGE_GENERATION, cached.purgeGeneration],
    };
  }

  source(): ByteSource {
    return new ReaderSource(this.#loader, this.#asker);
  }

  cachedUpTo(start: number, end: number): number {
    return this.#loader.cachedUpTo(start, end);
  }

  release(): void {
    this.#begun?.stream?.close();
    this.#letGo();
  }

  #letGo(): void {
    if (this.#begun === undefined) return;
    this.#loader.withdraw(this);
    this.#begun = undefined;
  }
}
