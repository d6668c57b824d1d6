import { EdgeError } from '../base/errors.js';
import type { Changes } from './changes.js';

/** What a table uses of an lmdb-js database of binary keys and values. */
export interface LmdbDatabase {
  /** Bytes of the value that `getBinaryFast` gave. */
  readonly lastSize?: number;
  getBinary(key: Uint8Array): Buffer | undefined;
  getBinaryFast(key: Uint8Array): Buffer | undefined;
  put(key: Uint8Array, value: Uint8Array): unknown;
  remove(key: Uint8Array): unknown;
  getRange(options: TableRange): Iterable<{ key: Uint8Array; value: Buffer }>;
  getKeys(options: TableRange): Iterable<Uint8Array>;
  prefetch(keys: readonly Uint8Array[], done: () => void): unknown;
  getStats(): object;
}

/** One ordered table of binary keys (1 to 1,978 bytes) and values of an `Environment`. */
export class StoreTable {
  readonly #database: LmdbDatabase;
  readonly #changes: () => Changes | undefined;

  /** @internal made by `Environment`; `changes` gives those of the batch or transaction that is open */
  constructor(database: LmdbDatabase, changes: () => Changes | undefined) {
    this.#database = database;
    this.#changes = changes;
  }

  /** A copy of the value, or undefined. @throws Error when the pages are damaged */
  get(key: Uint8Array): Buffer | undefined {
    return this.#database.getBinary(key);
  }

  /**
   * The value in a buffer that every table of the process shares: the next `get`, `has` or range of any of them
   * overwrites it. Undefined when the key is not there. @throws Error when the pages are damaged
   */
  getShared(key: Uint8Array): Uint8Array | undefined {
    const shared = this.#database.getBinaryFast(key);
    // lmdb-js shadows `length` on a buffer of 16 MiB; `subarray` makes an honest view.
    return shared?.subarray(0, this.#database.lastSize);
  }

  /** True when the key is there. Copies the value: for tables of small values. */
  has(key: Uint8Array): boolean {
    return this.#database.getBinaryFast(key) !== undefined;
  }

  /** Stores a value; only within `Environment.batch` or `Environment.transaction`. */
  put(key: Uint8Array, value: Uint8Array): void {
    this.#expectChanges().put(key, value, () => void this.#database.put(key, value));
  }

  /** Removes a value if it is there; only within `Environment.batch` or `Environment.transaction`. */
  remove(key: Uint8Array): void {
    this.#expectChanges().remove(() => void this.#database.remove(key));
  }

  /** Copies of keys and values in order of their bytes, from `start` to before `end`. A consistent snapshot. */
  range(options: TableRange = {}): Iterable<{ key: Uint8Array; value: Buffer }> {
    return this.#database.getRange(options);
  }

  /** Copies of the keys in order of their bytes, from `start` to before `end`, without touching the values. */
  keys(options: TableRange = {}): Iterable<Uint8Array> {
    return this.#database.getKeys(options);
  }

  /**
   * Brings the pages of the values into memory on another thread, so that the reads that follow need not wait for the
   * disk, and calls back from the event loop. A key that is not there is passed over.
   */
  prefetch(keys: readonly Uint8Array[], done: () => void): void {
    this.#database.prefetch(keys, done);
  }

  /** Number of entries. */
  get count(): number {
    return this.#stats().entryCount;
  }

  /** Number of pages of the tree, and of the values that have pages of their own. */
  get pages(): { tree: number; values: number } {
    const { treeBranchPageCount, treeLeafPageCount, overflowPages } = this.#stats();
    return { tree: treeBranchPageCount + treeLeafPageCount, values: overflowPages };
  }

  #stats() {
    return this.#database.getStats() as {
      entryCount: number;
      treeBranchPageCount: number;
      treeLeafPageCount: number;
      overflowPages: number;
    };
  }

  #expectChanges(): Changes {
    const changes = this.#changes();
    if (changes === undefined) throw new EdgeError('internal', 'a table is written within a batch or transaction only');
    return changes;
  }
}

/** Part of a table. Both ends are undefined for all of it. */
export interface TableRange {
  /** First key. */
  start?: Uint8Array;
  /** The range ends before this key. */
  end?: Uint8Array;
  /** From the last key to the first; then `start` is the highest key and the range ends before the lower `end`. */
  reverse?: boolean;
  /** At most so many entries. */
  limit?: number;
}
