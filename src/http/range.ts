/**
 * The ranges of a Range field in their order, as pairs of numbers: first and last byte position, both inclusive, the
 * last one `Infinity` when open; or -1 and the length of a suffix.
 */
export type RangeSet = readonly number[];

/** Bytes `[start, end)` of a file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bounds on what one request may ask for (RFC 9110 section 14.2). */
export interface RangeLimits {
  /** Most ranges. */
  readonly maxParts: number;
  /** Most ranges that overlap an earlier one, in the order of their first bytes. */
  readonly maxOverlap: number;
}

const UNIT = 'bytes=';

/**
 * Value of a Content-Range field (RFC 9110 section 14.4).
 * @param range undefined when no range of the request lies in the file
 * @param size bytes of the whole file
 */
export function contentRange(range: ByteRange | undefined, size: number): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.start}-${range.end - 1}/${size}`;
}

/**
 * Reads a Range field of unit bytes (RFC 9110 section 14.1).
 * @returns undefined when it is absent, of another unit, or malformed: then it is to be ignored
 */
export function parseRange(field: string): RangeSet | undefined {
  if (!field.startsWith(UNIT) && field.slice(0, UNIT.length).toLowerCase() !== UNIT) return undefined;
  const set: number[] = [];
  for (let at = UNIT.length; at <= field.length; ) {
    let end = field.indexOf(',', at);
    if (end < 0) end = field.length;
    if (!parseSpec(field, at, end, set)) return undefined;
    at = end + 1;
  }
  return set.length > 0 ? set : undefined;
}

/**
 * Reads one range-spec between `at` and `end`, white space around it; an empty element of the list is skipped. False
 * when malformed.
 */
function parseSpec(field: string, at: number, end: number, set: number[]): boolean {
  while (at < end && isSpace(field.charCodeAt(at))) at++;
  while (at < end && isSpace(field.charCodeAt(end - 1))) end--;
  if (at === end) return true;
  const dash = field.indexOf('-', at);
  if (dash < 0 || dash >= end) return false;
  const first = dash === at ? -1 : digits(field, at, dash);
  const last = dash + 1 === end ? Infinity : digits(field, dash + 1, end);
  if (Number.isNaN(first) || Number.isNaN(last) || last < first || (first < 0 && last === Infinity)) return false;
  set.push(first, last);
  return true;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** A number of any length, at most `Number.MAX_SAFE_INTEGER`; NaN when something else than digits is found. */
function digits(field: string, at: number, end: number): number {
  let value = 0;
  for (; at < end; at++) {
    const digit = field.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    value = Math.min(value * 10 + digit, Number.MAX_SAFE_INTEGER);
  }
  return value;
}

/**
 * The bytes that a range set means in a file of `size` bytes, at least 1, in the order asked for. Ranges that overlap
 * or touch become one, in the place of the first of them (RFC 9110 section 15.3.7.2).
 * @returns empty when no range lies in the file; undefined when the set is beyond the limits, as only a broken or
 *   hostile player's is
 */
export function resolveRanges(set: RangeSet, size: number, limits: RangeLimits): readonly ByteRange[] | undefined {
  if (set.length === 2) {
    const range = resolve(set[0]!, set[1]!, size);
    return range === undefined ? [] : [range];
  }
  if (set.length / 2 > limits.maxParts) return undefined;
  const ranges: ByteRange[] = [];
  for (let i = 0; i < set.length; i += 2) {
    const range = resolve(set[i]!, set[i + 1]!, size);
    if (range !== undefined) ranges.push(range);
  }
  return coalesce(ranges, limits.maxOverlap);
}

function resolve(first: number, last: number, size: number): ByteRange | undefined {
  if (first < 0) return last === 0 ? undefined : { start: Math.max(0, size - last), end: size };
  return first < size ? { start: first, end: Math.min(last + 1, size) } : undefined;
}

function coalesce(ranges: readonly ByteRange[], maxOverlap: number): readonly ByteRange[] | undefined {
  const ascending = ranges.map((range, place) => ({ ...range, place })).sort((a, b) => a.start - b.start);
  const merged: { start: number; end: number; place: number }[] = [];
  let overlapping = 0;
  for (const range of ascending) {
    const before = merged.at(-1);
    if (before === undefined || range.start > before.end) {
      merged.push(range);
      continue;
    }
    if (range.start < before.end) overlapping++;
    before.end = Math.max(before.end, range.end);
    before.place = Math.min(before.place, range.place);
  }
  if (overlapping > maxOverlap) return undefined;
  return merged.sort((a, b) => a.place - b.place).map(({ start, end }) => ({ start, end }));
}
