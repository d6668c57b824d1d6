import { parseSeek } from '../seek/seek-query.js';
import type { ClipTimes } from './url/version.js';

/** Longer than any film; as many milliseconds as a version can tell. */
const TIME_MAX = 99_999_999_999;

/** The clip that `start` and `end` of a query ask for; undefined for the whole. */
export function clipTimesOf(parameters: ReadonlyMap<string, string>): ClipTimes | undefined {
  const seek = parseSeek({ start: parameters.get('start'), end: parameters.get('end') });
  if (seek === undefined) return undefined;
  const start = Math.min(TIME_MAX - 1, Math.round(seek.start * 1000));
  const end = seek.end === undefined ? undefined : Math.max(start + 1, Math.round(seek.end * 1000));
  if (end === undefined || end > TIME_MAX) return start === 0 ? undefined : { start, end: undefined };
  return { start, end };
}
