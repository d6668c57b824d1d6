import type { Waiter } from './waiters.js';

/** Bytes that one reader has past the cache. */
export interface Bypass {
  readonly outcome: 'bypass';
  /** The bytes at hand from `offset` to at most `end`, never past the end of a block; undefined when there are none. */
  view(offset: number, end: number): Uint8Array | undefined;
  /** Waits for `offset`; false when it will not come from here. */
  want(offset: number, waiter: Waiter): boolean;
  close(): void;
}
