import type { Pieces } from '../base/pieces.js';

/**
 * Has a socket send pieces from where they lie in a block, or bytes of several blocks, in one send and uncopied. What
 * offers one is the way to the socket; without it, or where bytes are encrypted on that way, pieces are put together
 * first, and blocks sent one by one.
 */
export interface Scatter {
  /**
   * What stands for bytes of the pieces from byte `at` of them on, those that lie without a break in `run`: to be given
   * to `tryEnd` as it is, once, before `forget`. Undefined when they are too few to be worth it.
   * @param run bytes of the object, the first of which is its byte `base`
   * @param most bytes
   */
  standIn(pieces: Pieces, at: number, run: Uint8Array, base: number, most: number): Uint8Array | undefined;
  /**
   * What stands for bytes of blocks that a reader has laid out: to be given to `tryEnd` as it is, once, before the
   * reader is released. Undefined when they are too few to be worth it.
   */
  laidOut(bytes: number): Uint8Array | undefined;
  /** The run is let go. */
  forget(): void;
}
