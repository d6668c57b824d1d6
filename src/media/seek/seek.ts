/**
 * A checked seek: `0 <= start`, and `end`, when there is one, is greater than `start`. At least one of them has an
 * effect.
 */
export interface Seek {
  /** Seconds, or for FLV perhaps a byte position; 0 when only `end` was given. */
  readonly start: number;
  /** In the unit of `start`; undefined to go on to the end of the file. */
  readonly end: number | undefined;
}
