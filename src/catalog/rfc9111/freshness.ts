import { parseHttpDate } from '../../base/http-date.js';
import type { Fields } from '../../origin/fields.js';
import {
  type Directives,
  isUnqualified,
  parseCacheControl,
  parseSurrogate,
  parseTargeted,
  SECONDS_MAX,
  secondsOf,
} from './cache-control.js';

/** How long answers may be used, where the origin does not say and against what it says. Times in milliseconds. */
export interface FreshnessOptions {
  /** Lifetime of an answer that says nothing of it, where the heuristic doesn't say it. */
  readonly default: number;
  /** Bounds of every lifetime, whatever the origin says. */
  readonly min: number;
  readonly max: number;
  /** Lifetime as a share (0 to 1) of the age of Last-Modified (RFC 9111 section 4.2.2), and its bound; 0: none. */
  readonly heuristic: number;
  readonly heuristicMax: number;
  /** How long a 5xx answer or a failing origin is remembered, and a 404 or 410. */
  readonly errorTtl: number;
  readonly notFoundTtl: number;
  /** How long past its lifetime an answer may be used, unless the origin says (RFC 5861). */
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
}

/** How long a stored answer may be used. Times in milliseconds. */
export interface Freshness {
  /** Time since 1970, by our clock, at which the origin vouched for it. */
  readonly vouched: number;
  /** `freshness_lifetime` of RFC 9111 section 4.2.1. */
  readonly lifetime: number;
  /** How long past its lifetime it may be used while it is revalidated, and while the origin fails. */
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  /** Never to be used stale, not even when the player asks for it (RFC 9111 section 5.2.2.2). */
  readonly mustRevalidate: boolean;
}

/** The directives that count, and whether they are meant for caches like this one. */
interface Counting {
  readonly directives: Directives;
  readonly targeted: boolean;
}

/** The answer that was asked about last, since all who judge one ask in a row. */
let lastAsked: { readonly fields: Fields; readonly counting: Counting } | undefined;

/**
 * The directives that count for this cache: those of CDN-Cache-Control when there are any (RFC 9213), else those of
 * Surrogate-Control, else those of Cache-Control.
 */
export function directivesOf(fields: Fields): Counting {
  if (lastAsked?.fields !== fields) lastAsked = { fields, counting: readDirectives(fields) };
  return lastAsked.counting;
}

function readDirectives(fields: Fields): Counting {
  const targeted = parseTargeted(fields['cdn-cache-control']) ?? parseSurrogate(fields['surrogate-control']);
  if (targeted !== undefined) return { directives: targeted, targeted: true };
  return { directives: parseCacheControl(fields['cache-control'] ?? ''), targeted: false };
}

/**
 * Freshness of an answer for a shared cache (RFC 9111 section 4.2).
 * @param times when the request was sent and the head came, milliseconds since 1970
 * @param silent lifetime of an answer that says nothing, in place of heuristic and default; undefined for those
 */
export function freshnessOf(
  fields: Fields,
  times: { readonly requestTime: number; readonly responseTime: number },
  options: FreshnessOptions,
  silent?: number,
): Freshness {
  const { directives, targeted } = directivesOf(fields);
  const date = parseDate(fields.date) ?? times.responseTime;
  const shared = secondsOf(directives, 's-maxage');
  const noCache = isUnqualified(directives, 'no-cache');
  const mustRevalidate = noCache || directives.has('must-revalidate') || directives.has('proxy-revalidate');
  const explicit = explicitLifetime(directives, shared, targeted ? {} : fields, date);
  const natural = explicit ?? silent ?? heuristicLifetime(fields, date, options);
  const age = parseAge(fields.age);
  // What may be of any age is stale (RFC 9111 section 4.2.1).
  const isUnusable = noCache || age === undefined;
  const lifetime = isUnusable ? 0 : Math.min(options.max, Math.max(options.min, natural));
  // s-maxage forbids stale answers like proxy-revalidate (RFC 9111 section 5.2.2.10), but an origin that sends both
  // means both.
  const grace = (name: string, fallback: number) => {
    const seconds = secondsOf(directives, name);
    if (mustRevalidate) return 0;
    return seconds === undefined ? (shared === undefined ? fallback : 0) : seconds * 1000;
  };
  return {
    vouched: Math.max(0, times.responseTime - initialAge(age ?? 0, times, date)),
    lifetime,
    staleWhileRevalidate: grace('stale-while-revalidate', options.staleWhileRevalidate),
    staleIfError: grace('stale-if-error', options.staleIfError),
    mustRevalidate: mustRevalidate || shared !== undefined,
  };
}

/** `corrected_initial_age` of RFC 9111 section 4.2.3, in milliseconds. */
function initialAge(age: number, times: { requestTime: number; responseTime: number }, date: number): number {
  const apparent = Math.max(0, times.responseTime - date);
  return Math.max(apparent, age * 1000 + Math.max(0, times.responseTime - times.requestTime));
}

/**
 * Seconds of an Age field (RFC 9111 section 5.1): of a list the first member, without what some put behind it as
 * parameters; 0 when there is no field, undefined when it is no number.
 */
function parseAge(field = '0'): number | undefined {
  const digits = /^\s*(\d+)\s*(?:[,;]|$)/.exec(field)?.[1];
  return digits === undefined ? undefined : Math.min(SECONDS_MAX, Number(digits));
}

/** A date, whose letters a cache takes in either case (RFC 9111 section 4.2). */
function parseDate(text: string | undefined): number | undefined {
  return parseHttpDate(text) ?? parseHttpDate(inCase(text));
}

function inCase(date: string | undefined): string | undefined {
  return date?.toLowerCase().replaceAll(/gmt$|\b[a-z]/g, letters => letters.toUpperCase());
}

function explicitLifetime(
  directives: Directives,
  shared: number | undefined,
  fields: Fields,
  date: number,
): number | undefined {
  const seconds = shared ?? secondsOf(directives, 'max-age');
  if (seconds !== undefined) return seconds * 1000;
  if (fields.expires === undefined) return undefined;
  // A date that can't be read lies in the past (RFC 9111 section 5.3).
  return Math.max(0, (parseDate(fields.expires) ?? 0) - date);
}

function heuristicLifetime(fields: Fields, date: number, options: FreshnessOptions): number {
  const modified = parseDate(fields['last-modified']);
  if (modified === undefined || options.heuristic === 0) return options.default;
  return Math.min(options.heuristicMax, Math.max(0, date - modified) * options.heuristic);
}

/** Milliseconds since the origin vouched for the answer (RFC 9111 section 4.2.3). */
export function ageOf(freshness: Freshness, now: number): number {
  return Math.max(0, now - freshness.vouched);
}

/** Milliseconds past the lifetime; at most 0 while it is fresh. One that was marked stale has just become so. */
export function stalenessOf(freshness: Freshness, now: number, markedStale: boolean): number {
  const staleness = ageOf(freshness, now) - freshness.lifetime;
  return markedStale ? Math.max(1, staleness) : staleness;
}

/** True when the answer may be used because the origin fails (RFC 5861 section 4). */
export function servesOnError(freshness: Freshness, now: number, markedStale: boolean): boolean {
  return stalenessOf(freshness, now, markedStale) < freshness.staleIfError;
}
