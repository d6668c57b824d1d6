import type { CacheOutcome } from '../base/cache-outcome.js';
import type { EdgeError } from '../base/errors.js';
import { loopTurns } from '../base/loop-turns.js';
import type { Askers } from '../origin/askers.js';
import type { CatalogStats } from './catalog-stats.js';
import type { OpenObject, OpenStream } from './content.js';
import type { CachedEntry } from './entry-cache.js';
import type { HeadLocks } from './head-lock.js';
import { freshnessAt, type LookupContext, type LookupResult } from './lookup.js';
import { OriginLookup } from './origin-lookup.js';
import { ageOf, servesOnError } from './rfc9111/freshness.js';
import { isPersonal, negativeFreshness } from './rfc9111/negative-lifetime.js';
import { useOf } from './rfc9111/request-cache-control.js';
import type { RoutedRequest } from './routed-request.js';

/** What the waiters for one lookup learn. */
export type Resolution =
  | { readonly kind: 'found'; readonly cached: CachedEntry; readonly outcome: CacheOutcome }
  | { readonly kind: 'error'; readonly error: EdgeError }
  /** What came is not for others: each asks for itself. */
  | { readonly kind: 'alone' }
  /** Look again. */
  | { readonly kind: 'again' };

/** The end of a lookup that others may wait for: what they learn, and what is for who made it. */
export interface Resolved {
  readonly resolution: Resolution;
  readonly own?: OpenObject | OpenStream | undefined;
  /** A refusal that is for who asked. */
  readonly failure?: EdgeError;
}

/** A lookup under way that others may wait for. */
interface PendingLookup {
  readonly resolved: Promise<Resolved>;
  /** All who wait for it. */
  readonly askers: Askers;
  /** Later purges than these are not heeded by it. */
  readonly purges: number;
}

/**
 * Collapses lookups: the origin is asked about a key once for all who want to know, in this process and in the others
 * of the machine, unless what comes is for one of them only. Remembers what the origin refuses.
 */
export class CollapsedLookups {
  readonly #context: LookupContext;
  readonly #locks: HeadLocks;
  readonly #stats: CatalogStats;
  readonly #originLookup: OriginLookup;
  /** By cache key. */
  readonly #pending = new Map<string, PendingLookup>();

  constructor(context: LookupContext, locks: HeadLocks, stats: CatalogStats) {
    this.#context = context;
    this.#locks = locks;
    this.#stats = stats;
    this.#originLookup = new OriginLookup(context);
  }

  /** A stream of a body of unknown size that another request has begun to fetch; undefined when there is none. */
  join(routed: RoutedRequest): OpenStream | undefined {
    const { authorization, requestCacheControl } = routed;
    if (authorization !== '' || requestCacheControl?.noStore || requestCacheControl?.noCache) return undefined;
    const stream = this.#originLookup.join(routed);
    if (stream !== undefined) this.#stats.collapsed++;
    return stream;
  }

  /**
   * Asks the origin, or waits for the lookup of another request.
   * @param known what is known under the key, however stale
   * @param alone what came for others was not for this request
   */
  ask(routed: RoutedRequest, known: CachedEntry | undefined, alone: boolean): Promise<Resolved> {
    return alone || this.#isForOne(routed, known) ? this.#askAlone(routed, known) : this.#askTogether(routed);
  }

  /** True when nobody else can use what comes: the request has credentials, or answers are known not to be stored. */
  #isForOne({ authorization, requestCacheControl }: RoutedRequest, known: CachedEntry | undefined): boolean {
    if (authorization !== '' || requestCacheControl?.noStore) return true;
    return known?.entry.kind === 'pass' && this.#context.now() < known.entry.expires;
  }

  async #askAlone(routed: RoutedRequest, known: CachedEntry | undefined): Promise<Resolved> {
    this.#stats.bypassed++;
    const stale = known?.entry.kind === 'object' ? known : undefined;
    const pass = known?.entry.kind === 'pass' || routed.requestCacheControl?.noStore === true;
    return this.#learn(routed, known, await this.#originLookup.make(routed, { stale, pass }));
  }

  /** Asks the origin once for all who want to know, in this process and in others. */
  async #askTogether(routed: RoutedRequest): Promise<Resolved> {
    const purges = this.#purgesOf(routed);
    const pending = this.#pending.get(routed.key);
    if (pending !== undefined && pending.purges === purges) {
      this.#stats.collapsed++;
      pending.askers.add(routed.request.asker);
      const { resolution } = await pending.resolved;
      await loopTurns.passed();
      return { resolution };
    }
    return this.#share(routed, purges, this.#askForAll(routed));
  }

  /** Sequence number of the last purge of any kind of the URL. */
  #purgesOf({ primary }: RoutedRequest): number {
    const marks = this.#context.purges.marks(primary);
    return Math.max(marks.hard, marks.soft);
  }

  #share({ key, askers }: RoutedRequest, purges: number, resolved: Promise<Resolved>): Promise<Resolved> {
    const pending = { resolved, askers, purges };
    this.#pending.set(key, pending);
    const done = () => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    };
    resolved.then(done, done);
    return resolved;
  }

  /** Asks with the right to do so, which one process of the machine has at a time. */
  async #askForAll(routed: RoutedRequest): Promise<Resolved> {
    let known: CachedEntry | undefined;
    const release = await this.#locks.take(routed.key, () => {
      known = this.#context.entries.find(routed.key, routed.primary);
      return known !== undefined && this.#isSettled(known, routed);
    });
    if (known !== undefined && this.#isSettled(known, routed)) {
      release?.();
      this.#stats.collapsed++;
      return { resolution: { kind: known.entry.kind === 'pass' ? 'alone' : 'again' } };
    }
    let committed: Promise<void> | undefined;
    try {
      const stale = known?.entry.kind === 'object' ? known : undefined;
      const result = await this.#originLookup.make(routed, { stale });
      if (result.kind !== 'refused') committed = result.committed;
      const resolved = this.#learn(routed, known, result);
      committed ??= this.#rememberRefusal(routed, known, result);
      return resolved;
    } finally {
      void (committed ?? Promise.resolve()).then(release);
    }
  }

  /** True when another process has learnt what was to be asked. */
  #isSettled({ entry, markedStale, failedUntil }: CachedEntry, { requestCacheControl }: RoutedRequest): boolean {
    const now = this.#context.now();
    if (entry.kind === 'vary') return true;
    if (entry.kind !== 'object') return now < entry.expires;
    return (
      now < failedUntil ||
      useOf(entry.freshness, ageOf(entry.freshness, now), now, markedStale, requestCacheControl) !== 'revalidate'
    );
  }

  /** What a result means for those who wait for it. */
  #learn(routed: RoutedRequest, known: CachedEntry | undefined, result: LookupResult): Resolved {
    if (known?.entry.kind === 'object') this.#stats.revalidations++;
    else this.#stats.misses++;
    switch (result.kind) {
      case 'object': {
        const { cached, outcome, own } = result;
        if (outcome === 'revalidated') this.#stats.confirmed++;
        // The answer is a variant that was unknown before: those who wait look again, with the fields that choose it.
        if (cached.entry.key !== routed.key) return { resolution: { kind: 'again' }, own };
        return { resolution: { kind: 'found', cached, outcome: outcome === 'miss' ? 'collapsed' : outcome }, own };
      }
      case 'vary':
        return { resolution: { kind: 'again' } };
      case 'private':
        return { resolution: { kind: 'alone' }, own: result.own };
      case 'refused':
        if (isPersonal(result.error, result.answer)) return { resolution: { kind: 'alone' }, failure: result.error };
        return { resolution: this.#refused(routed, known, result.error) };
    }
  }

  /** An error, or a stale object in its place where that is allowed (RFC 5861 section 4). */
  #refused({ requestCacheControl }: RoutedRequest, known: CachedEntry | undefined, error: EdgeError): Resolution {
    if (known?.entry.kind !== 'object' || error.status < 500) return { kind: 'error', error };
    const now = this.#context.now();
    known.failure = error;
    known.failedUntil = now + this.#context.freshness.errorTtl;
    if (requestCacheControl?.noCache || !servesOnError(known.entry.freshness, now, known.markedStale))
      return { kind: 'error', error };
    return { kind: 'found', cached: known, outcome: 'stale' };
  }

  /** Remembers an error for the next requests, in place of what was known unless that may still be confirmed. */
  async #rememberRefusal(routed: RoutedRequest, known: CachedEntry | undefined, result: LookupResult): Promise<void> {
    if (result.kind !== 'refused') return;
    const { error, answer } = result;
    if (known?.entry.kind === 'object' && error.status >= 500) return;
    const { now, purges, entries } = this.#context;
    const freshness = freshnessAt(this.#context, routed.route);
    const varied = Object.keys(routed.varied);
    const { lifetime, vouched } = negativeFreshness(error, answer, freshness, varied, now());
    if (lifetime <= 0) return;
    const { key, primary } = routed;
    const passed = error.options.answer;
    const remembered = passed === undefined ? error : error.with({ answer: { ...passed, vouched } });
    const epoch = purges.marks(primary).hard;
    const expires = now() + lifetime;
    await entries.save({ kind: 'error', key, primary, epoch, error: remembered, expires }, known).committed;
  }

  /**
   * Revalidates while the stale object is being served, unless another request or process of this machine does so
   * already.
   */
  async revalidateMeanwhile(cached: CachedEntry, routed: RoutedRequest): Promise<void> {
    if (this.#pending.has(routed.key) || routed.key !== cached.entry.key) return;
    const release = this.#locks.tryTake(routed.key);
    if (release === 'taken') return;
    const asking = this.#originLookup.make(routed, { stale: cached, headOnly: true }).then(async result => {
      const resolved = this.#learn(routed, cached, result);
      resolved.own?.release();
      await (result.kind === 'refused' ? this.#rememberRefusal(routed, cached, result) : result.committed);
      return { resolution: resolved.resolution };
    });
    await this.#share(routed, this.#purgesOf(routed), asking);
    release();
  }
}
