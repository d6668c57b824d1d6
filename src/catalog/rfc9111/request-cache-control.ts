import { parseCacheControl, secondsOf } from './cache-control.js';
import { type Freshness, stalenessOf } from './freshness.js';

/**
 * What a player asks of the cache by Cache-Control (RFC 9111 section 5.2.1). Times in milliseconds; undefined where it
 * does not say.
 */
export interface RequestCacheControl {
  readonly noCache: boolean;
  readonly noStore: boolean;
  readonly onlyIfCached: boolean;
  readonly maxAge: number | undefined;
  readonly minFresh: number | undefined;
  /** Infinity when any staleness will do. */
  readonly maxStale: number | undefined;
}

/**
 * The requestCacheControl of a request; undefined when it has none. Pragma is not looked at (RFC 9111 section 5.4): who
 * sends it sends Cache-Control, too.
 */
export function requestCacheControlOf(field: (name: string) => string): RequestCacheControl | undefined {
  const value = field('cache-control');
  if (value === '') return undefined;
  const directives = parseCacheControl(value);
  const time = (name: string) => {
    const seconds = secondsOf(directives, name);
    return seconds === undefined ? undefined : seconds * 1000;
  };
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAge: time('max-age'),
    minFresh: time('min-fresh'),
    maxStale:
      directives.has('max-stale') && !directives.get('max-stale') ? Number.POSITIVE_INFINITY : time('max-stale'),
  };
}

/**
 * What may be done with a stored answer:
 * - `fresh`: it is the answer
 * - `stale`: it is the answer though past its lifetime, because the player takes it so
 * - `background`: the same, and it is to be revalidated meanwhile
 * - `revalidate`: the origin must be asked first
 */
export type Use = 'fresh' | 'stale' | 'background' | 'revalidate';

/**
 * Decides on the use of a stored answer (RFC 9111 sections 4.2 and 5.2.1, RFC 5861 section 3).
 * @param age milliseconds since the origin vouched for it
 */
export function useOf(
  freshness: Freshness,
  age: number,
  now: number,
  markedStale: boolean,
  requestCacheControl: RequestCacheControl | undefined,
): Use {
  const staleness = stalenessOf(freshness, now, markedStale);
  if (requestCacheControl !== undefined && refuses(requestCacheControl, age, staleness)) return 'revalidate';
  if (staleness < 0) return 'fresh';
  if (staleness < freshness.staleWhileRevalidate) return 'background';
  if (
    requestCacheControl?.maxStale !== undefined &&
    staleness <= requestCacheControl.maxStale &&
    !freshness.mustRevalidate
  )
    return 'stale';
  return 'revalidate';
}

function refuses(requestCacheControl: RequestCacheControl, age: number, staleness: number): boolean {
  if (requestCacheControl.noCache) return true;
  if (
    requestCacheControl.maxAge !== undefined &&
    age > requestCacheControl.maxAge + (requestCacheControl.maxStale ?? 0)
  )
    return true;
  return requestCacheControl.minFresh !== undefined && -staleness < requestCacheControl.minFresh;
}
