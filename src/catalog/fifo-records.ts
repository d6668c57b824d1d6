import type { Environment } from '../store/environment.js';
import type { FaultLatch } from '../store/fault-latch.js';
import type { StoreTable } from '../store/table.js';

/*
 * Two tables of an environment, bounded by what it takes on disk: what was stored longest ago goes first.
 *   records  u64 stamp (big-endian), key  → value
 *   stamps   key                          → u64 stamp of the key's record
 * A stamp is a time in microseconds since 1970. Records lie in the order in which they go, so that dropping the oldest
 * empties whole pages. A record whose key has another stamp was left over when two processes stored one key at once.
 */
const STAMP_BYTES = 8;
/** Bytes that a record takes beside its value, about. */
const RECORD_OVERHEAD = 128;
/** How much is taken is looked at whenever a process has stored this share of the capacity. */
const LOOK_SHARE = 1 / 256;

/** Records of a page: a millisecond's work or so. */
const PAGE_COUNT = 256;

/** Names of the tables that `FifoRecords` needs. */
export const FIFO_TABLES = ['records', 'stamps'] as const;

/** Records of any kind, the oldest of which make room for new ones. Several processes may write at once. */
export class FifoRecords {
  readonly #environment: Environment;
  readonly #capacity: number;
  readonly #fault: FaultLatch;
  readonly #records: StoreTable;
  readonly #stamps: StoreTable;
  #lastStamp = 0;
  /** Bytes stored since the last look at how much is taken. */
  #unlooked = 0;
  #trimming = false;

  /** @param capacity most bytes of the environment on disk; a little more at times */
  constructor(environment: Environment, capacity: number, fault: FaultLatch) {
    this.#environment = environment;
    this.#capacity = capacity;
    this.#fault = fault;
    this.#records = environment.table('records');
    this.#stamps = environment.table('stamps');
  }

  /** A copy of the value as any process has committed it; undefined when there is none or it can't be read. */
  get(key: Uint8Array): Uint8Array | undefined {
    try {
      this.#environment.refresh();
      const stamp = this.#stamps.get(key);
      return stamp && this.#records.get(Buffer.concat([stamp, key]));
    } catch (error) {
      this.#fault.raise(error);
      return undefined;
    }
  }

  /**
   * The records whose keys begin with `prefix`, the oldest first, `PAGE_COUNT` at a time; others may be stored and
   * dropped meanwhile. Ends early when they can't be read.
   */
  *pages(prefix: Uint8Array): Generator<{ key: Buffer; value: Uint8Array }[]> {
    let start: Buffer | undefined = Buffer.alloc(0);
    while (start !== undefined) {
      const page: { key: Buffer; value: Uint8Array }[] = [];
      let count = 0;
      let last: Uint8Array | undefined;
      try {
        this.#environment.refresh();
        for (const { key, value } of this.#records.range(
          start.length === 0 ? { limit: PAGE_COUNT } : { start, limit: PAGE_COUNT },
        )) {
          count++;
          last = key;
          const own = Buffer.from(key.subarray(STAMP_BYTES));
          if (own.subarray(0, prefix.length).equals(prefix)) page.push({ key: own, value });
        }
      } catch (error) {
        this.#fault.raise(error);
        return;
      }
      yield page;
      // The next key there can be.
      start = count < PAGE_COUNT || last === undefined ? undefined : Buffer.concat([last, Buffer.alloc(1)]);
    }
  }

  /** True when there is a record under `key`. */
  has(key: Uint8Array): boolean {
    try {
      this.#environment.refresh();
      return this.#stamps.has(key);
    } catch (error) {
      this.#fault.raise(error);
      return false;
    }
  }

  /**
   * Stores values, in this order, and removes those that are undefined, as one commit. Settles when it is made, or
   * could not be.
   */
  async put(values: Iterable<readonly [key: Uint8Array, value: Uint8Array | undefined]>): Promise<void> {
    const list = [...values];
    await this.#change(() => {
      for (const [key, value] of list) this.#put(key, value);
    });
    for (const [, value] of list) this.#unlooked += (value?.length ?? 0) + RECORD_OVERHEAD;
    if (this.#unlooked > this.#capacity * LOOK_SHARE) await this.#trim();
  }

  #put(key: Uint8Array, value: Uint8Array | undefined): void {
    const before = this.#stamps.get(key);
    if (before !== undefined) this.#records.remove(Buffer.concat([before, key]));
    if (value === undefined) {
      this.#stamps.remove(key);
      return;
    }
    this.#lastStamp = Math.max(this.#lastStamp + 1, Date.now() * 1000);
    const stamp = Buffer.allocUnsafe(STAMP_BYTES);
    stamp.writeBigUInt64BE(BigInt(this.#lastStamp));
    this.#stamps.put(key, stamp);
    this.#records.put(Buffer.concat([stamp, key]), value);
  }

  /** When too much is taken, drops what was stored longest ago: twice as much as was stored since the last look. */
  async #trim(): Promise<void> {
    // One at a time: two at once would drop the same.
    if (this.#trimming) return;
    this.#trimming = true;
    let excess = 2 * this.#unlooked;
    this.#unlooked = 0;
    await this.#change(() => {
      this.#environment.refresh();
      if (this.#environment.usage().usedBytes <= this.#capacity) return;
      for (const { key, value } of this.#records.range()) {
        this.#drop(key);
        excess -= value.length + RECORD_OVERHEAD;
        if (excess <= 0) break;
      }
    });
    this.#trimming = false;
  }

  #drop(recordKey: Uint8Array): void {
    const key = recordKey.subarray(STAMP_BYTES);
    const stamp = this.#stamps.get(key);
    this.#records.remove(recordKey);
    if (stamp?.equals(recordKey.subarray(0, STAMP_BYTES))) this.#stamps.remove(key);
  }

  async #change(work: () => void): Promise<void> {
    try {
      await this.#environment.batch(work);
      this.#fault.clear();
    } catch (error) {
      this.#fault.raise(error);
    }
  }
}
