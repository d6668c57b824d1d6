import { lastAtMost } from './last-at-most.js';

/** Pieces of an object, put one after the other. */
export interface Pieces {
  /** First byte of each in the object, ascending. */
  readonly offsets: Float64Array;
  /** Bytes of the pieces before each, and of all. */
  readonly begins: Float64Array;
}

/** Where byte `at` of the pieces stands in the object. */
export function placeOf({ offsets, begins }: Pieces, at: number): number {
  const piece = lastAtMost(begins, at);
  return offsets[piece]! + at - begins[piece]!;
}
