import type { Environment } from '../store/environment.js';
import type { FaultLatch } from '../store/fault-latch.js';
import type { Table } from '../store/table.js';

/*
 * Two tables of an environment, bounded by what it takes on disk: what was stored longest ago goes first.
 *   records  key                → u64 stamp (big-endian), value
 *   order    u64 stamp, key     → nothing
 * A stamp is a time in microseconds. A row of `order` whose record bears another stamp is left over from an earlier value.
 */
const STAMP_BYTES = 8;
/** Puts between two looks at how much is taken. */
const PUTS_PER_LOOK = 64;
/** Of what is there, the share that is dropped when it is too much. */
const DROPPED_SHARE = 0.05;
const NOTHING = new Uint8Array(0);

/** Names of the tables that `FifoRecords` needs. */
export const FIFO_TABLES = ['records', 'order'] as const;

/** Records of any kind, the oldest of which make room for new ones. Several processes may write at once. */
export class FifoRecords {
  readonly #environment: Environment;
  readonly #capacity: number;
  readonly #fault: FaultLatch;
  readonly #records: Table;
  readonly #order: Table;
  #lastStamp = 0;
  #puts = 0;
  #trimming = false;
  /** Records dropped to make room. */
  dropped = 0;

  /** @param capacity most bytes of the environment on disk; a little more at times */
  constructor(environment: Environment, capacity: number, fault: FaultLatch) {
    this.#environment = environment;
    this.#capacity = capacity;
    this.#fault = fault;
    this.#records = environment.table('records');
    this.#order = environment.table('order');
  }

  /** A copy of the value as any process has committed it; undefined when there is none or it can't be read. */
  get(key: Uint8Array): Uint8Array | undefined {
    try {
      this.#environment.refresh();
      const record = this.#records.get(key);
      return record === undefined || record.length < STAMP_BYTES ? undefined : record.subarray(STAMP_BYTES);
    } catch (error) {
      this.#fault.raise(error);
      return undefined;
    }
  }

  /** Stores a value, or removes it when undefined. Settles when that is committed, or could not be. */
  async put(key: Uint8Array, value: Uint8Array | undefined): Promise<void> {
    await this.#change(() => {
      const before = this.#records.get(key);
      if (before !== undefined) this.#order.remove(orderKey(before, key));
      if (value === undefined) {
        this.#records.remove(key);
        return;
      }
      const record = this.#stamped(value);
      this.#records.put(key, record);
      this.#order.put(orderKey(record, key), NOTHING);
    });
    if (value !== undefined && ++this.#puts % PUTS_PER_LOOK === 0) await this.#trim();
  }

  #stamped(value: Uint8Array): Buffer {
    this.#lastStamp = Math.max(this.#lastStamp + 1, Date.now() * 1000);
    const record = Buffer.allocUnsafe(STAMP_BYTES + value.length);
    record.writeBigUInt64BE(BigInt(this.#lastStamp), 0);
    record.set(value, STAMP_BYTES);
    return record;
  }

  /** Drops what was stored longest ago until enough is free. */
  async #trim(): Promise<void> {
    if (this.#trimming) return;
    this.#trimming = true;
    try {
      for (let rounds = 0; rounds < 1 / DROPPED_SHARE && this.#environment.usage().usedBytes > this.#capacity; rounds++) {
        const limit = Math.max(16, Math.ceil(this.#order.count * DROPPED_SHARE));
        await this.#change(() => {
          for (const row of [...this.#order.keys({ limit })]) this.#drop(row);
        });
      }
    } catch (error) {
      this.#fault.raise(error);
    } finally {
      this.#trimming = false;
    }
  }

  #drop(row: Uint8Array): void {
    const key = row.subarray(STAMP_BYTES);
    const record = this.#records.get(key);
    this.#order.remove(row);
    if (record === undefined || Buffer.compare(record.subarray(0, STAMP_BYTES), row.subarray(0, STAMP_BYTES)) !== 0) return;
    this.#records.remove(key);
    this.dropped++;
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

function orderKey(record: Uint8Array, key: Uint8Array): Uint8Array {
  return Buffer.concat([record.subarray(0, STAMP_BYTES), key]);
}
