import type { CacheOutcome } from '../base/cache-outcome.js';
import { EdgeError } from '../base/errors.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import type { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import { hasValidator } from '../origin/fields.js';
import type { CatalogStats } from './catalog-stats.js';
import type { CatalogStore } from './catalog-store.js';
import { CollapsedLookups, type Resolved } from './collapsed-lookups.js';
import type { Content, ContentRequest, OpenObject, OpenStream } from './content.js';
import type { ObjectEntry } from './entry.js';
import { type CachedEntry, EntryCache } from './entry-cache.js';
import { HeadLocks } from './head-lock.js';
import { variantKey } from './object-identity.js';
import { ObjectLoaders } from './object-loaders.js';
import { OpenedObject } from './opened-object.js';
import { Purges } from './purge.js';
import { ageOf, type FreshnessOptions, servesOnError } from './rfc9111/freshness.js';
import { requestCacheControlOf, useOf } from './rfc9111/request-cache-control.js';
import type { SetCookie } from './rfc9111/storable.js';
import type { Route, Router } from './route.js';
import { detached, fieldsForOrigin, fieldValues, type RoutedRequest, routed } from './routed-request.js';
import { ValidatorTrust } from './validator-trust.js';

/** Options of `ObjectCatalog`. */
export interface ObjectCatalogOptions {
  readonly loader: BlockLoader;
  readonly tier: MemoryTier;
  readonly store: CatalogStore;
  readonly route: Router;
  /** Most bytes of entries in the memory of this process. */
  readonly memory: number;
  readonly freshness: FreshnessOptions;
  /** Whether Cache-Control of requests is obeyed (RFC 9111 section 5.2.1). */
  readonly honourRequestDirectives: boolean;
  readonly setCookie: SetCookie;
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/** Rounds after which an origin that says something else each time is given up. */
const ROUNDS = 4;

/**
 * The objects of all origins: opens the object behind a request from its entry in memory or in the store, when that may
 * be used, and otherwise by a lookup at the origin.
 */
export class ObjectCatalog implements Content {
  readonly stats: CatalogStats = {
    hits: 0,
    staleHits: 0,
    negativeHits: 0,
    misses: 0,
    revalidations: 0,
    confirmed: 0,
    collapsed: 0,
    bypassed: 0,
  };
  readonly #options: ObjectCatalogOptions;
  readonly #now: () => number;
  readonly #entries: EntryCache;
  readonly #loaders: ObjectLoaders;
  readonly #lookups: CollapsedLookups;

  constructor(options: ObjectCatalogOptions) {
    const { loader, tier, store, memory, freshness, setCookie, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    const purges = new Purges(store, tier);
    const validators = new ValidatorTrust(now);
    const entries = new EntryCache(store, tier, purges, memory, (before, after) => loaders.replaced(before, after));
    const loaders = new ObjectLoaders({ loader, entries, validators, now });
    this.#entries = entries;
    this.#loaders = loaders;
    const context = { loader, loaders, entries, purges, validators, freshness, setCookie, now };
    this.#lookups = new CollapsedLookups(context, new HeadLocks(tier), this.stats);
  }

  /** Bytes of the entries in memory. */
  get entryBytes(): number {
    return this.#entries.bytes;
  }

  open(request: ContentRequest): OpenObject | OpenStream | Promise<OpenObject | OpenStream> {
    const route = this.#options.route(request.host, request.path, request.query);
    if (route === undefined) throw new EdgeError('not_found', 'no origin is configured for this host and path');
    const cached = this.#find(request, route.key);
    const opened = cached && this.#openCached(cached, request, route);
    if (opened === undefined && request.cachedOnly) throw onlyIfCached();
    return opened ?? this.#openByLookup(request, route, route.key);
  }

  answered(count: number): void {
    this.stats.hits += count;
    this.#options.loader.stats.memoryLookups += count;
  }

  originOf(host: string, path: string): string | undefined {
    return this.#options.route(host, path, '')?.origin.name;
  }

  /** What is known of the variant that the request's fields choose. */
  #find(request: ContentRequest, primary: string): CachedEntry | undefined {
    const cached = this.#entries.find(primary, primary);
    if (cached?.entry.kind !== 'vary') return cached;
    return this.#entries.find(variantKey(primary, fieldValues(request, cached.entry.names)), primary);
  }

  /** Opens from what is known, if that is allowed without asking the origin. @throws EdgeError that is remembered */
  #openCached(cached: CachedEntry, request: ContentRequest, route: Route): OpenObject | undefined {
    const { entry } = cached;
    const now = this.#now();
    if (entry.kind === 'error' && now < entry.expires && request.field('authorization') === '') {
      this.stats.negativeHits++;
      throw entry.error;
    }
    if (entry.kind !== 'object' || !this.#isAtHand(cached, entry, request, route)) return undefined;
    const { freshness } = entry;
    const requestCacheControl = this.#options.honourRequestDirectives
      ? requestCacheControlOf(name => request.field(name))
      : undefined;
    const use = useOf(freshness, ageOf(freshness, now), now, cached.markedStale, requestCacheControl);
    if (use === 'fresh') {
      this.stats.hits++;
      return this.#opened(cached, entry, request, route, now, undefined);
    }
    const failing = now < cached.failedUntil;
    if (use === 'revalidate') {
      const replaced =
        cached.failure !== undefined &&
        servesOnError(freshness, now, cached.markedStale) &&
        !requestCacheControl?.noCache;
      if (!replaced && failing) throw cached.failure!;
      if (!replaced) return undefined;
    }
    // After a failure nobody waits for the next try.
    if (use !== 'stale' && !failing)
      void this.#lookups.revalidateMeanwhile(cached, detached(this.#routed(request, route, entry.primary)));
    this.stats.staleHits++;
    return this.#opened(cached, entry, request, route, now, 'stale');
  }

  /** False, and it is forgotten, when parts are missing of an object whose parts can't be fetched one by one. */
  #isAtHand(cached: CachedEntry, entry: ObjectEntry, request: ContentRequest, route: Route): boolean {
    if (hasValidator(entry.object.validator)) return true;
    if (this.#loaderOf(cached, entry, request, route).isWhole) return true;
    this.#entries.remove(entry);
    return false;
  }

  #opened(
    cached: CachedEntry,
    entry: ObjectEntry,
    request: ContentRequest,
    route: Route,
    now: number,
    outcome: CacheOutcome | undefined,
  ): OpenObject {
    const loader = this.#loaderOf(cached, entry, request, route);
    const stands = outcome === undefined && isForAll(entry);
    return new OpenedObject(entry, now, outcome, loader, request.asker, undefined, stands ? cached : undefined);
  }

  #loaderOf(cached: CachedEntry, entry: ObjectEntry, request: ContentRequest, route: Route): ObjectLoader {
    const authorization = entry.authorized ? request.field('authorization') : '';
    const bringsFields = authorization !== '' || route.forward.length > 0;
    const fields = bringsFields ? fieldsForOrigin(request, route, entry.varied, authorization) : undefined;
    return this.#loaders.of(cached, entry, route, fields);
  }

  #routed(request: ContentRequest, route: Route, primary: string): RoutedRequest {
    const entry = this.#entries.find(primary, primary)?.entry;
    const names = entry?.kind === 'vary' ? entry.names : [];
    return routed(request, route, primary, names, this.#options.honourRequestDirectives === true);
  }

  /** Opens what the origin says, to this request or to another one for the same. */
  async #openByLookup(request: ContentRequest, route: Route, primary: string): Promise<OpenObject | OpenStream> {
    let alone = false;
    for (let round = 0; round < ROUNDS; round++) {
      const routed = this.#routed(request, route, primary);
      const known = this.#entries.find(routed.key, primary);
      const opened = round > 0 && known ? this.#openCached(known, request, route) : undefined;
      if (opened !== undefined) return opened;
      if (routed.requestCacheControl?.onlyIfCached) throw onlyIfCached();
      const stream = this.#lookups.join(routed);
      if (stream !== undefined) return stream;
      const { resolution, own, failure }: Resolved = await this.#lookups.ask(routed, known, alone);
      if (own !== undefined) return own;
      if (failure !== undefined) throw failure;
      if (resolution.kind === 'error') throw resolution.error;
      if (resolution.kind === 'found') {
        const { cached, outcome } = resolution;
        if (outcome === 'stale') this.stats.staleHits++;
        return this.#opened(cached, cached.entry as ObjectEntry, request, route, this.#now(), outcome);
      }
      alone ||= resolution.kind === 'alone';
    }
    throw new EdgeError('origin_protocol', 'the origin names other request fields in Vary with each answer');
  }
}

/** Whether an entry answers every request for its URL, whoever asks. */
function isForAll({ key, primary, authorized, object }: ObjectEntry): boolean {
  return key === primary && !authorized && hasValidator(object.validator);
}

function onlyIfCached(): EdgeError {
  return new EdgeError('only_if_cached', 'nothing is cached that may be used as it is');
}
