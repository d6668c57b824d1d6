import type { ObjectId } from '../../base/block.js';
import { BLOCK_KEY_BYTES, VALUE_BYTES, writeBlockKey, writeValue } from './disk-record.js';

/**
 * Blocks that are collected for one commit, as the values that will be stored, in memory that is there from the start.
 */
export class WriteBatch {
  readonly #keys: Buffer;
  readonly #values: Buffer;
  /** Blocks in the batch. */
  count = 0;

  /** @param capacity most blocks */
  constructor(readonly capacity: number) {
    this.#keys = Buffer.alloc(capacity * BLOCK_KEY_BYTES);
    this.#values = Buffer.alloc(capacity * VALUE_BYTES);
  }

  /** The block key of the `i`th block, as a view. */
  key(i: number): Buffer {
    return this.#keys.subarray(i * BLOCK_KEY_BYTES, (i + 1) * BLOCK_KEY_BYTES);
  }

  /** The value of the `i`th block, as a view. */
  value(i: number): Buffer {
    return this.#values.subarray(i * VALUE_BYTES, (i + 1) * VALUE_BYTES);
  }

  has(blockKey: Uint8Array): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.key(i).equals(blockKey)) return true;
    }
    return false;
  }

  /** Copies a value in as it was stored. There must be room. */
  addStored(blockKey: Uint8Array, value: Uint8Array): void {
    this.key(this.count).set(blockKey);
    this.value(this.count).set(value);
    this.count++;
  }

  /** Copies a block in. There must be room, which is when `count` is below `capacity`. */
  add(id: ObjectId, block: number, bytes: Uint8Array, checksum: number): void {
    const key = writeBlockKey(this.key(this.count), id, block);
    writeValue(this.value(this.count), key, bytes, checksum);
    this.count++;
  }
}
