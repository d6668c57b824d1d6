import type { Seek } from '../../media/seek/seek.js';

/** Raw values of the parameters, as the player sent them; undefined when absent. */
interface SeekQuery {
  readonly start: string | undefined;
  readonly end: string | undefined;
}

/** Seconds, or bytes, as players write them: decimal digits with perhaps a fraction. */
const NUMBER = /^(?:\d+\.?\d*|\.\d+)$/;
/** Longest text that is looked at. */
const TEXT_MAX = 32;

/**
 * The seek that a query asks for. What is malformed or negative is ignored, since players send `start=undefined`, and
 * so is an `end` that is not after `start`. `end` alone means from the beginning.
 * @returns undefined when nothing was asked for; a `start` of 0 without an `end` is a wish for the whole file in an
 *   order fit for streaming
 */
export function parseSeek(query: SeekQuery): Seek | undefined {
  const start = parseSeconds(query.start);
  const end = parseSeconds(query.end);
  if (end !== undefined && end > (start ?? 0)) return { start: start ?? 0, end };
  return start === undefined ? undefined : { start, end: undefined };
}

/** A number of a query; undefined when it is absent, malformed or negative. */
export function parseSeconds(text: string | undefined): number | undefined {
  if (text === undefined || text.length > TEXT_MAX || !NUMBER.test(text)) return undefined;
  return Number(text);
}
