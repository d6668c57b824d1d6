import type { EdgeError } from '../base/errors.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import type { OriginAnswer, OriginFetch, RefusedAnswer } from '../origin/origin.js';
import type { OpenObject, OpenStream } from './content.js';
import type { CachedEntry, EntryCache } from './entry-cache.js';
import type { Taken } from './head-fetch.js';
import type { ObjectLoaders } from './object-loaders.js';
import type { Purges } from './purge.js';
import { type Freshness, type FreshnessOptions, freshnessOf } from './rfc9111/freshness.js';
import type { SetCookie } from './rfc9111/storable.js';
import type { Route } from './route.js';
import type { RoutedRequest } from './routed-request.js';
import type { ValidatorTrust } from './validator-trust.js';

/**
 * How long requests for something that must not be stored go to the origin without waiting for one another, in
 * milliseconds.
 */
const PASS_TTL = 60_000;

/** What all lookups of a process share. */
export interface LookupContext {
  readonly loader: BlockLoader;
  readonly loaders: ObjectLoaders;
  readonly entries: EntryCache;
  readonly purges: Purges;
  readonly validators: ValidatorTrust;
  readonly freshness: FreshnessOptions;
  readonly setCookie: SetCookie;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What is needed to answer one request past the cache. */
export type PassingContext = Pick<LookupContext, 'loader' | 'freshness' | 'setCookie' | 'now'>;

/** How a lookup is made. */
export interface LookupMode {
  /** Stored object that the origin may confirm. */
  readonly stale: CachedEntry | undefined;
  /** Nobody reads the body. */
  readonly headOnly?: boolean;
  /** Answers are known not to be stored: asks for exactly what the player wants. */
  readonly pass?: boolean;
}

/** What holds for the whole of one lookup. */
export interface Lookup {
  readonly routed: RoutedRequest;
  readonly mode: LookupMode;
  /** Sequence numbers of purges when it began: the last of the URL, and the last that this process knows of. */
  readonly epoch: number;
  readonly validated: number;
}

/** An answer that has come for a lookup, and the fetch that goes on to bring its body. */
export interface LookupAnswer {
  readonly lookup: Lookup;
  readonly answer: OriginAnswer;
  readonly fetch: OriginFetch;
}

/** What came of a lookup. `committed` settles when the other processes can know it. */
export type LookupResult =
  /** The object's entry is up to date; `own` is for who asked. */
  | {
      readonly kind: 'object';
      readonly cached: CachedEntry;
      readonly outcome: 'miss' | 'revalidated';
      readonly own: OpenObject;
      readonly committed: Promise<void>;
    }
  /** The answer depends on fields that were not sent: ask again for the variant. */
  | { readonly kind: 'vary'; readonly committed: Promise<void> }
  /** For who asked, and nobody else. */
  | { readonly kind: 'private'; readonly own: OpenObject | OpenStream; readonly committed: Promise<void> }
  | { readonly kind: 'refused'; readonly error: EdgeError; readonly answer: RefusedAnswer | undefined };

/**
 * Why an answer is of no use and another is asked for: a 206 that does not say how large the object is, or one without
 * anything to tell versions by, so that the object must come in one: whole, or just what this player reads.
 */
export type Unsuited = 'size missing' | 'whole wanted' | 'part wanted';

/** A result and where the body goes. */
export type Outcome = Taken<LookupResult | Unsuited>;

/** Settled: nothing is to be committed. */
export const COMMITTED = Promise.resolve();

/** Remembers that answers for the key must not be stored. */
export function rememberPass(context: LookupContext, { routed: { key, primary }, epoch }: Lookup): Promise<void> {
  const expires = context.now() + PASS_TTL;
  return context.entries.save({ kind: 'pass', key, primary, epoch, expires }, undefined).committed;
}

/** What freshness is like where a route leads. */
export function freshnessAt(
  { freshness }: Pick<LookupContext, 'freshness'>,
  route: Route | undefined,
): FreshnessOptions {
  return route?.freshness === undefined ? freshness : { ...freshness, ...route.freshness };
}

/**
 * Freshness of an answer.
 * @param fields its fields, or those that are kept of it
 * @param route by which it came; undefined where nothing is known of it
 */
export function answerFreshness(
  context: Pick<LookupContext, 'freshness'>,
  fields: OriginAnswer['fields'],
  answer: OriginAnswer,
  route: Route | undefined,
): Freshness {
  const silent = route?.freshness?.default ?? route?.defaultLifetime;
  return freshnessOf(fields, answer, freshnessAt(context, route), silent);
}

/** True when cookies that answers set are for all players. */
export function sharesCookies({ setCookie }: Pick<LookupContext, 'setCookie'>): boolean {
  return setCookie === 'share';
}
