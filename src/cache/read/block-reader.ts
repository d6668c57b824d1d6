import type { CacheOutcome } from '../../base/cache-outcome.js';
import type { Pieces } from '../../base/pieces.js';

/** Told when what it asked for has come or can't come; called from the event loop, never from within `want`. */
export interface ReaderListener {
  /** Call `read` again: at least one more byte is there at the wanted offset. */
  readable(): void;
  /** The bytes will not come. The reader is of no more use. */
  failed(error: unknown): void;
}

/**
 * One player's (or media reader's) way to the bytes of one version of one object, whatever tier they come from: memory,
 * disk, a fill of this or another process, or a stream past the cache. Owned by one reader; not shared.
 *
 * `read`, use, `release` is one synchronous section. Nothing is buffered here but the chunk at hand of a stream past
 * the cache.
 */
export interface BlockReader {
  /**
   * Bytes from `offset` on that can be had at once: at least 1 and at most `end - offset`, and never past the end of a
   * block. The view is valid until `release`, which must follow in the same synchronous section. Undefined when nothing
   * is there: then nothing is pinned, and `want` is the way on. `end` is where the reader means to stop, as in `want`.
   */
  read(offset: number, end: number): Uint8Array | undefined;
  /**
   * Has bytes of several blocks sent at once, for a socket that has a `Scatter`: as `read`, but what is at hand may lie
   * in blocks one after the other, and `Scatter.laidOut` gives what stands for it. Left out where there is none.
   * @param most bytes, at most `end - offset`
   * @returns how many bytes; with 0 `read` is the way on. `release` must follow in the same synchronous section.
   */
  layOut?(offset: number, end: number, most: number): number;
  /**
   * Ends the use of what `read` returned or `layOut` told of.
   * @param taken bytes of what was laid out that have been used
   */
  release(taken?: number): void;
  /**
   * Puts pieces of the object together that are in memory, whatever blocks they lie in; nothing is pinned before or
   * after.
   * @param at byte of the pieces to begin with
   * @param end where the reader means to stop in the object, as in `want`
   * @returns how many bytes are in `target` now; with 0 `read` is the way on
   */
  gather(pieces: Pieces, at: number, end: number, target: Uint8Array): number;
  /**
   * Asks for byte `offset`; `end` says how far the reader means to go on, so that contiguous missing blocks become one
   * origin request. The listener is told once. A later `want` replaces an earlier one.
   */
  want(offset: number, end: number, listener: ReaderListener): void;
  /** How the block at the last `read` that gave bytes was come by. */
  readonly outcome: CacheOutcome;
  /**
   * Takes back the demand and frees what was held; a fill that nobody else wants stops after the block at hand. May be
   * called twice.
   */
  close(): void;
}
