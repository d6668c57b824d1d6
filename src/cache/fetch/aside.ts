import { BLOCK_SIZE } from '../../base/block.js';
import type { Waiter } from './waiters.js';

/** Bytes beside the cache that one reader reads from: a stream past the cache, or a block lent by a load. */
export interface Aside {
  readonly outcome: 'bypass' | 'disk';
  /** The bytes at hand from `offset` to at most `end`, never past the end of a block; undefined when there are none. */
  view(offset: number, end: number): Uint8Array | undefined;
  /** Waits for `offset`; false when it will not come from here. */
  want(offset: number, waiter: Waiter): boolean;
  close(): void;
}

/** One block's bytes as an `Aside`. */
export class LentBlock implements Aside {
  readonly outcome = 'disk';
  readonly #start: number;
  readonly #bytes: Uint8Array;

  constructor(block: number, bytes: Uint8Array) {
    this.#start = block * BLOCK_SIZE;
    this.#bytes = bytes;
  }

  view(offset: number, end: number): Uint8Array | undefined {
    const from = offset - this.#start;
    if (from < 0 || from >= this.#bytes.length) return undefined;
    return this.#bytes.subarray(from, end - this.#start);
  }

  want(): boolean {
    return false;
  }

  close(): void {}
}
