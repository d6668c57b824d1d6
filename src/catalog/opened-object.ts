import type { ByteSource } from '../base/byte-source.js';
import type { CacheOutcome } from '../base/cache-outcome.js';
import type { ObjectSupply } from '../cache/fetch/object-loader.js';
import type { Demand } from '../cache/fetch/waiters.js';
import type { BlockReader } from '../cache/read/block-reader.js';
import type { Begun } from '../cache/read/reader.js';
import { ReaderSource } from '../cache/read/reader-source.js';
import type { OpenObject } from './content.js';
import type { StoredObject } from './stored-object.js';

/** An object in the hands of one request. What its first fetch has begun goes on until a reader takes it over or it is released. */
export class OpenedObject implements OpenObject, Demand {
  readonly kind = 'object';
  readonly #supply: ObjectSupply;
  #begun: Begun | undefined;

  constructor(
    readonly object: StoredObject,
    /** Seconds. */
    readonly age: number,
    readonly outcome: CacheOutcome | undefined,
    supply: ObjectSupply,
    begun?: Begun,
  ) {
    this.#supply = supply;
    this.#begun = begun;
    if (begun !== undefined) supply.demand(this);
  }

  wantedUpTo(block: number): number {
    const { from, to } = this.#begun!;
    return block >= from && block < to ? to : 0;
  }

  reader(): BlockReader {
    const begun = this.#begun;
    this.#letGo();
    return this.#supply.reader(begun);
  }

  source(): ByteSource {
    return new ReaderSource(this.#supply);
  }

  release(): void {
    this.#begun?.stream?.close();
    this.#letGo();
  }

  #letGo(): void {
    if (this.#begun === undefined) return;
    this.#supply.withdraw(this);
    this.#begun = undefined;
  }
}
