/** Where a stream's segments of HLS stand, so that all edges number them alike. */
export interface RingNumbers {
  readonly segment: number;
  readonly discontinuity: number;
}

/** Names the edges that a request has gone through (RFC 8586). */
export const LOOP_FIELD = 'cdn-loop';
/** Of an answer: the numbers of the segment of HLS that its first tag begins. */
export const NUMBERS_FIELD = 'moovedge-live-numbers';

export function writeNumbers({ segment, discontinuity }: RingNumbers): string {
  return `${segment} ${discontinuity}`;
}

/** Undefined when it is none. */
export function readNumbers(value: string | readonly string[] | undefined): RingNumbers | undefined {
  const [segment, discontinuity] = (typeof value === 'string' ? value : '').split(' ').map(Number);
  const isNumber = (n: number | undefined): n is number => Number.isInteger(n) && n! > 0 && n! < 2 ** 32;
  return isNumber(segment) && isNumber(discontinuity) ? { segment, discontinuity } : undefined;
}
