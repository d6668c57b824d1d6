import type { BlockReader } from '../cache/block-reader.js';
import type { Demand } from '../cache/demand.js';
import type { ObjectSupply } from '../cache/object-supply.js';
import type { CacheOutcome } from '../cache/outcome.js';
import type { Begun } from '../cache/reader.js';
import { ReaderSource } from '../cache/reader-source.js';
import type { ByteSource } from '../media/byte-source.js';
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
