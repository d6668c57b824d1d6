import { EdgeError } from '../../base/errors.js';
import type { HlsListing } from './hls-stream.js';
import type { HlsSegment } from './hls-track.js';

/** What a request for a media playlist says of the delivery (RFC 8216bis section 6.2.5). */
export interface HlsDirectives {
  /** It is answered when the playlist has this segment, or this part of it. */
  readonly number: number | undefined;
  readonly part: number | undefined;
  /** Only what is new is wanted. */
  readonly skips: boolean;
  /** The query without directives. */
  readonly rest: string;
}

const DIRECTIVE = /^_HLS_/;

/**
 * Reads the directives in a query.
 * @throws EdgeError `bad_request` for one that makes no sense
 */
export function parseDirectives(query: string): HlsDirectives {
  const found = new Map<string, string>();
  const rest: string[] = [];
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (DIRECTIVE.test(name)) found.set(name, value);
    else rest.push(parameter);
  }
  const number = whole(found, '_HLS_msn');
  const part = whole(found, '_HLS_part');
  if (part !== undefined && number === undefined) throw new EdgeError('bad_request', '_HLS_part needs _HLS_msn');
  const skip = found.get('_HLS_skip');
  return { number, part, skips: skip === 'YES' || skip === 'v2', rest: rest.join('&') };
}

function whole(found: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = found.get(name);
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw new EdgeError('bad_request', `expected a number as ${name}`);
  return number;
}

/** Segments, and seconds of parts, that a request may be ahead of the playlist (section 6.2.5.2). */
const [SEGMENTS_AHEAD, SECONDS_AHEAD] = [2, 3];

/**
 * Refuses what is asked for too far ahead.
 * @throws EdgeError `bad_request`
 */
export function checkAhead(
  segments: readonly HlsSegment[],
  { number, part }: HlsDirectives,
  { partTarget }: HlsListing,
): void {
  const last = segments.findLast(({ isComplete, parts }) => isComplete || parts.length > 0);
  if (number === undefined || last === undefined) return;
  const partsAhead = partTarget < 1000 ? Math.ceil((SECONDS_AHEAD * 1000) / partTarget) : SECONDS_AHEAD;
  const isFar =
    number > last.number + SEGMENTS_AHEAD ||
    (part !== undefined && number === last.number && part > last.parts.length - 1 + partsAhead);
  if (!isFar) return;
  const asked = part === undefined ? `segment ${number}` : `part ${part} of segment ${number}`;
  throw new EdgeError(
    'bad_request',
    `the playlist has come to part ${last.parts.length - 1} of segment ${last.number}; ${asked} is too far ahead`,
  );
}

/** Whether a playlist has what a request waits for. */
export function isListed(segments: readonly HlsSegment[], number: number, part: number | undefined): boolean {
  const first = segments[0];
  if (first === undefined) return false;
  const segment = segments[number - first.number];
  if (segment === undefined) return number < first.number;
  if (part === undefined) return segment.isComplete;
  if (part < segment.parts.length) return true;
  // Of a segment that is complete, the part behind the last is the first that comes in another one, or never does.
  const later = segments.slice(number + 1 - first.number);
  return segment.isComplete && later.some(({ isComplete, parts }) => isComplete || parts.length > 0);
}
