import type { Environment } from '../../store/environment.js';
import type { StoreTable } from '../../store/table.js';
import { ringKey, splitRingKey } from './disk-record.js';
import type { WriteBatch } from './write-batch.js';

/** The two tables of a disk tier as a ring, of which the oldest blocks leave first. */
export class DiskRing {
  readonly #index: StoreTable;
  readonly #blocks: StoreTable;

  constructor(environment: Environment) {
    this.#index = environment.table('index');
    this.#blocks = environment.table('blocks');
  }

  /** Number of blocks. */
  get count(): number {
    return this.#blocks.count;
  }

  has(blockKey: Uint8Array): boolean {
    return this.#index.has(blockKey);
  }

  /** Puts a batch behind the newest block. Within a transaction. */
  append(batch: WriteBatch): void {
    // Read anew each time, since for a moment an edge and its successor may both be writing.
    let sequence = this.nextSequence;
    for (let i = 0; i < batch.count; i++) {
      const blockKey = batch.key(i);
      const key = ringKey(sequence++, blockKey);
      this.#blocks.put(key, batch.value(i));
      this.#index.put(blockKey, splitRingKey(key).sequence);
    }
  }

  /** The `count` oldest blocks: their keys in the table, and their values as views that hold until the next call. */
  *oldest(count: number): Generator<{ blockKey: Uint8Array; value: Uint8Array }> {
    if (count <= 0) return;
    // The keys first: a value that is read while the cursor is open would end its view.
    for (const key of Array.from(this.#blocks.keys({ limit: count }))) {
      const value = this.#blocks.getShared(key);
      if (value !== undefined) yield { blockKey: splitRingKey(key).blockKey, value };
    }
  }

  /** Takes the `count` oldest blocks out, and returns their block keys. Within a transaction. */
  expire(count: number): Uint8Array[] {
    if (count <= 0) return [];
    return Array.from(this.#blocks.keys({ limit: count }), key => {
      const { blockKey } = splitRingKey(key);
      this.#index.remove(blockKey);
      this.#blocks.remove(key);
      return blockKey;
    });
  }

  /** Takes a block out, if it is there. Within a transaction. */
  remove(blockKey: Uint8Array): void {
    const sequence = this.#index.get(blockKey);
    if (sequence === undefined) return;
    this.#index.remove(blockKey);
    this.#blocks.remove(ringKey(sequence, blockKey));
  }

  /** Sequence number of the next block: as many as were ever written. */
  get nextSequence(): bigint {
    for (const key of this.#blocks.keys({ reverse: true, limit: 1 })) {
      return Buffer.from(splitRingKey(key).sequence).readBigUInt64BE() + 1n;
    }
    return 0n;
  }
}
