import type { CacheOutcome } from '../base/cache-outcome.js';
import { EdgeError } from '../base/errors.js';
import type { BlockLoader } from '../cache/fetch/block-loader.js';
import type { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { MemoryTier } from '../cache/memory/memory-tier.js';
import { hasValidator } from '../origin/fields.js';
import { type Ask, pick, type Route, type Router, sentOn } from './ask.js';
import type { CatalogStore } from './catalog-store.js';
import type { Content, ContentRequest, OpenObject, OpenStream } from './content.js';
import type { ObjectEntry } from './entry.js';
import { type CachedEntry, EntryCache } from './entry-cache.js';
import { HeadLocks } from './head-lock.js';
import { objectKey, variantKey } from './object-identity.js';
import { OpenedObject } from './opened-object.js';
import { type LookupResult, OriginLookup } from './origin-lookup.js';
import { Purges } from './purge.js';
import { ageOf, type FreshnessOptions, servesOnError } from './rfc9111/freshness.js';
import { isPersonal, negativeFreshness } from './rfc9111/negative-lifetime.js';
import { requestCacheControlOf, useOf } from './rfc9111/request-cache-control.js';
import type { SetCookie } from './rfc9111/storable.js';

/** Options of `ObjectCatalog`. */
export interface ObjectCatalogOptions {
  readonly loader: BlockLoader;
  readonly tier: MemoryTier;
  readonly store: CatalogStore;
  readonly route: Router;
  /** Most bytes of entries in the memory of this process. */
  readonly memory: number;
  readonly freshness: FreshnessOptions;
  /** Whether Cache-Control of requests is obeyed (RFC 9111 section 5.2.1). Default false. */
  readonly honourRequestDirectives?: boolean;
  /** Default `drop`. */
  readonly setCookie?: SetCookie;
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/** Counters of `ObjectCatalog`; plain numbers that only grow. */
export interface CatalogStats {
  /** Requests answered from a fresh entry, from a stale one, and by an error that was remembered. */
  hits: number;
  staleHits: number;
  negativeHits: number;
  /** First fetches of unknown objects; fetches to revalidate known ones, and those of them that confirmed. */
  misses: number;
  revalidations: number;
  confirmed: number;
  /** Requests that waited for another one's fetch, and requests that went past the cache. */
  collapsed: number;
  bypassed: number;
}

/** What the waiters for one fetch learn. */
type Resolution =
  | { readonly kind: 'found'; readonly cached: CachedEntry; readonly outcome: CacheOutcome }
  | { readonly kind: 'error'; readonly error: EdgeError }
  /** What came is not for others: each asks for itself. */
  | { readonly kind: 'alone' }
  /** Look again. */
  | { readonly kind: 'again' };

/** The end of a fetch that others may wait for: what they learn, and what is for who made it. */
interface Resolved {
  readonly resolution: Resolution;
  readonly own?: OpenObject | OpenStream | undefined;
  /** A refusal that is for who asked. */
  readonly failure?: EdgeError;
}

/** A fetch under way that others may wait for. */
interface Running {
  readonly resolved: Promise<Resolved>;
  /** Later purges than these are not heeded by it. */
  readonly purges: number;
}

/** Rounds after which an origin that says something else each time is given up. */
const ROUNDS = 4;

/**
 * The objects of all origins: finds the object behind a request in memory, in the store, or by asking the origin, once
 * for all who wait.
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
  readonly #purges: Purges;
  readonly #entries: EntryCache;
  readonly #locks: HeadLocks;
  readonly #originLookup: OriginLookup;
  readonly #running = new Map<string, Running>();

  constructor(options: ObjectCatalogOptions) {
    const { loader, tier, store, memory, freshness, setCookie = 'drop', now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#purges = new Purges(store, tier);
    this.#entries = new EntryCache(store, tier, this.#purges, memory);
    this.#locks = new HeadLocks(tier);
    this.#originLookup = new OriginLookup({
      loader,
      entries: this.#entries,
      purges: this.#purges,
      freshness,
      setCookie,
      now,
    });
  }

  /** Bytes of the entries in memory. */
  get entryBytes(): number {
    return this.#entries.bytes;
  }

  open(request: ContentRequest): OpenObject | OpenStream | Promise<OpenObject | OpenStream> {
    const route = this.#options.route(request.host, request.path, request.query);
    if (route === undefined) throw new EdgeError('not_found', 'no origin is configured for this host and path');
    const primary = objectKey(route.origin.name, route.path, route.keyQuery);
    const cached = this.#find(request, primary);
    const opened = cached && this.#openLoaded(cached, request, route);
    return opened ?? this.#openByAsking(request, route, primary);
  }

  /** What is known of the variant that the request's fields choose. */
  #find(request: ContentRequest, primary: string): CachedEntry | undefined {
    const cached = this.#entries.find(primary, primary);
    if (cached?.entry.kind !== 'vary') return cached;
    return this.#entries.find(variantKey(primary, pick(request, cached.entry.names)), primary);
  }

  /** Opens from what is known, if that is allowed without asking the origin. @throws EdgeError that is remembered */
  #openLoaded(cached: CachedEntry, request: ContentRequest, route: Route): OpenObject | undefined {
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
      return this.#opened(cached, entry, request, route, undefined);
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
    if (use !== 'stale' && !failing) void this.#revalidateMeanwhile(cached, this.#askLater(request, route, entry));
    this.stats.staleHits++;
    return this.#opened(cached, entry, request, route, 'stale');
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
    outcome: CacheOutcome | undefined,
  ): OpenObject {
    const loader = this.#loaderOf(cached, entry, request, route);
    const age = Math.floor(ageOf(entry.freshness, this.#now()) / 1000);
    return new OpenedObject(entry.object, age, outcome, loader);
  }

  #loaderOf(cached: CachedEntry, entry: ObjectEntry, request: ContentRequest, route: Route): ObjectLoader {
    const authorization = entry.authorized ? request.field('authorization') : '';
    const bringsFields = authorization !== '' || route.forward.length > 0;
    const fields = bringsFields ? sentOn(request, route, entry.varied, authorization) : undefined;
    return this.#originLookup.loaderOf(cached, entry, route, fields);
  }

  #ask(request: ContentRequest, route: Route, primary: string): Ask {
    const entry = this.#entries.find(primary, primary)?.entry;
    const varied = entry?.kind === 'vary' ? pick(request, entry.names) : {};
    const authorization = request.field('authorization');
    return {
      request,
      route,
      primary,
      key: variantKey(primary, varied),
      varied,
      fields: sentOn(request, route, varied, authorization),
      authorization,
      requestCacheControl: this.#options.honourRequestDirectives
        ? requestCacheControlOf(name => request.field(name))
        : undefined,
    };
  }

  /** What is asked when the request can't be read any more. */
  #askLater(request: ContentRequest, route: Route, { primary }: ObjectEntry): Ask {
    const ask = this.#ask(request, route, primary);
    const { host, path, query, hint } = request;
    return { ...ask, request: { host, path, query, hint, field: name => ask.fields[name] ?? '' } };
  }

  async #openByAsking(request: ContentRequest, route: Route, primary: string): Promise<OpenObject | OpenStream> {
    let alone = false;
    for (let round = 0; round < ROUNDS; round++) {
      const ask = this.#ask(request, route, primary);
      const known = this.#entries.find(ask.key, primary);
      const opened = round > 0 && known ? this.#openLoaded(known, request, route) : undefined;
      if (opened !== undefined) return opened;
      if (ask.requestCacheControl?.onlyIfCached)
        throw new EdgeError('only_if_cached', 'nothing is cached that may be used as it is');
      const running = this.#canJoin(ask) ? this.#originLookup.join(ask) : undefined;
      if (running !== undefined) {
        this.stats.collapsed++;
        return running;
      }
      const isForOne: boolean = alone || this.#isForOne(ask, known);
      const { resolution, own, failure }: Resolved = isForOne
        ? await this.#askAlone(ask, known)
        : await this.#askTogether(ask);
      if (own !== undefined) return own;
      if (failure !== undefined) throw failure;
      if (resolution.kind === 'error') throw resolution.error;
      if (resolution.kind === 'found') {
        if (resolution.outcome === 'stale') this.stats.staleHits++;
        return this.#opened(
          resolution.cached,
          resolution.cached.entry as ObjectEntry,
          request,
          route,
          resolution.outcome,
        );
      }
      alone ||= resolution.kind === 'alone';
    }
    throw new EdgeError('origin_protocol', 'the origin names other request fields in Vary with each answer');
  }

  /** True when what another request has begun to fetch will do. */
  #canJoin({ authorization, requestCacheControl }: Ask): boolean {
    return authorization === '' && !requestCacheControl?.noStore && !requestCacheControl?.noCache;
  }

  /** True when nobody else can use what comes: the request has credentials, or answers are known not to be stored. */
  #isForOne(ask: Ask, known: CachedEntry | undefined): boolean {
    if (ask.authorization !== '' || ask.requestCacheControl?.noStore) return true;
    return known?.entry.kind === 'pass' && this.#now() < known.entry.expires;
  }

  async #askAlone(ask: Ask, known: CachedEntry | undefined): Promise<Resolved> {
    this.stats.bypassed++;
    const stale = known?.entry.kind === 'object' ? known : undefined;
    const pass = known?.entry.kind === 'pass' || ask.requestCacheControl?.noStore === true;
    return this.#learn(ask, known, await this.#originLookup.make(ask, { stale, pass }));
  }

  /** Asks the origin once for all who want to know, in this process and in others. */
  async #askTogether(ask: Ask): Promise<Resolved> {
    const marks = this.#purges.marks(ask.primary);
    const purges = Math.max(marks.hard, marks.soft);
    const running = this.#running.get(ask.key);
    if (running !== undefined && running.purges === purges) {
      this.stats.collapsed++;
      return { resolution: (await running.resolved).resolution };
    }
    return this.#run(ask.key, purges, this.#lead(ask));
  }

  #run(key: string, purges: number, resolved: Promise<Resolved>): Promise<Resolved> {
    const running = { resolved, purges };
    this.#running.set(key, running);
    const done = () => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    resolved.then(done, done);
    return resolved;
  }

  async #lead(ask: Ask): Promise<Resolved> {
    let known: CachedEntry | undefined;
    const release = await this.#locks.take(ask.key, () => {
      known = this.#entries.find(ask.key, ask.primary);
      return known !== undefined && this.#isSettled(known, ask);
    });
    if (known !== undefined && this.#isSettled(known, ask)) {
      release?.();
      this.stats.collapsed++;
      return { resolution: { kind: known.entry.kind === 'pass' ? 'alone' : 'again' } };
    }
    let committed: Promise<void> | undefined;
    try {
      const stale = known?.entry.kind === 'object' ? known : undefined;
      const result = await this.#originLookup.make(ask, { stale });
      if (result.kind !== 'refused') committed = result.committed;
      const resolved = this.#learn(ask, known, result);
      committed ??= this.#remember(ask, known, result);
      return resolved;
    } finally {
      void (committed ?? Promise.resolve()).then(release);
    }
  }

  /** True when another process has learnt what was to be asked. */
  #isSettled({ entry, markedStale, failedUntil }: CachedEntry, { requestCacheControl }: Ask): boolean {
    const now = this.#now();
    if (entry.kind === 'vary') return true;
    if (entry.kind !== 'object') return now < entry.expires;
    return (
      now < failedUntil ||
      useOf(entry.freshness, ageOf(entry.freshness, now), now, markedStale, requestCacheControl) !== 'revalidate'
    );
  }

  /** What a result means for those who wait for it. */
  #learn(ask: Ask, known: CachedEntry | undefined, result: LookupResult): Resolved {
    if (known?.entry.kind === 'object') this.stats.revalidations++;
    else this.stats.misses++;
    switch (result.kind) {
      case 'object': {
        const { cached, outcome, own } = result;
        if (outcome === 'revalidated') this.stats.confirmed++;
        // A variant that nobody had known of is for those who send the same fields.
        if (cached.entry.key !== ask.key) return { resolution: { kind: 'again' }, own };
        return { resolution: { kind: 'found', cached, outcome: outcome === 'miss' ? 'collapsed' : outcome }, own };
      }
      case 'vary':
        return { resolution: { kind: 'again' } };
      case 'private':
        return { resolution: { kind: 'alone' }, own: result.own };
      case 'refused':
        if (isPersonal(result.error, result.answer)) return { resolution: { kind: 'alone' }, failure: result.error };
        return { resolution: this.#refused(ask, known, result.error) };
    }
  }

  /** An error, or a stale object in its place where that is allowed (RFC 5861 section 4). */
  #refused(ask: Ask, known: CachedEntry | undefined, error: EdgeError): Resolution {
    if (known?.entry.kind !== 'object' || error.status < 500) return { kind: 'error', error };
    const now = this.#now();
    known.failure = error;
    known.failedUntil = now + this.#options.freshness.errorTtl;
    if (ask.requestCacheControl?.noCache || !servesOnError(known.entry.freshness, now, known.markedStale))
      return { kind: 'error', error };
    return { kind: 'found', cached: known, outcome: 'stale' };
  }

  /** Remembers an error for the next requests, in place of what was known unless that may still be confirmed. */
  async #remember(ask: Ask, known: CachedEntry | undefined, result: LookupResult): Promise<void> {
    if (result.kind !== 'refused') return;
    const { error, answer } = result;
    if (known?.entry.kind === 'object' && error.status >= 500) return;
    const now = this.#now();
    const varied = Object.keys(ask.varied);
    const { lifetime, vouched } = negativeFreshness(error, answer, this.#options.freshness, varied, now);
    if (lifetime <= 0) return;
    const { key, primary } = ask;
    const passed = error.options.answer;
    const remembered = passed === undefined ? error : error.with({ answer: { ...passed, vouched } });
    const epoch = this.#purges.marks(primary).hard;
    await this.#entries.save({ kind: 'error', key, primary, epoch, error: remembered, expires: now + lifetime }, known)
      .committed;
  }

  /** Revalidates while the stale object is being served, unless somebody on this machine is at it. */
  async #revalidateMeanwhile(cached: CachedEntry, ask: Ask): Promise<void> {
    if (this.#running.has(ask.key) || ask.key !== cached.entry.key) return;
    const release = this.#locks.tryTake(ask.key);
    if (release === 'taken') return;
    const marks = this.#purges.marks(ask.primary);
    const asking = this.#originLookup.make(ask, { stale: cached, headOnly: true }).then(async result => {
      const resolved = this.#learn(ask, cached, result);
      resolved.own?.release();
      await (result.kind === 'refused' ? this.#remember(ask, cached, result) : result.committed);
      return { resolution: resolved.resolution };
    });
    await this.#run(ask.key, Math.max(marks.hard, marks.soft), asking);
    release();
  }
}
