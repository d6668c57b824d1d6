import { randomUUID } from 'node:crypto';
import type { Askers } from '../origin/askers.js';
import type { OpenStream } from './content.js';
import { type EntryContext, makeEntry } from './entry.js';
import { type LookupAnswer, type LookupContext, type Outcome, rememberPass } from './lookup.js';
import type { Freshness } from './rfc9111/freshness.js';
import type { RoutedRequest } from './routed-request.js';
import { UnsizedFill } from './unsized-fill.js';
import { NO_VALIDATOR } from './validator-trust.js';

/** Most milliseconds for which a body is fresh of which only the end of the connection said that it was whole. */
const UNFRAMED_LIFETIME = 60_000;

/** A fetch that others may join. */
interface UnsizedFetch {
  readonly fill: UnsizedFill;
  readonly askers: Askers;
  /** Last purge of the URL when it began. */
  readonly epoch: number;
}

/** The bodies that are coming without having said how long they are: all players of one read from one fetch. */
export class UnsizedObjects {
  readonly #context: LookupContext;
  /** By cache key. */
  readonly #fills = new Map<string, UnsizedFetch>();

  constructor(context: LookupContext) {
    this.#context = context;
  }

  /** A stream from a fetch that is under way already; undefined when there is none to join. */
  join({ request, key, primary }: RoutedRequest): OpenStream | undefined {
    const running = this.#fills.get(key);
    if (running === undefined || running.epoch < this.#context.purges.marks(primary).hard) return undefined;
    running.askers.add(request.asker);
    return running.fill.join();
  }

  /** Outcome of an answer without a size: its entry is made when its body has ended. */
  take({ lookup, answer, fetch }: LookupAnswer, context: EntryContext, freshness: Freshness): Outcome {
    const { loader, entries } = this.#context;
    const { key, authorized, epoch } = context;
    // A body that was cut looks whole, and its validator would confirm it.
    const head = answer.unframed ? { ...answer, validator: NO_VALIDATOR } : answer;
    const kept = answer.unframed ? { ...context, nonce: randomUUID() } : context;
    const lifetime = answer.unframed ? Math.min(freshness.lifetime, UNFRAMED_LIFETIME) : freshness.lifetime;
    const { object } = makeEntry(head, 0, undefined, freshness, kept);
    const fill = new UnsizedFill({
      tier: loader.tier,
      id: object.id,
      contentType: object.contentType,
      fields: object.fields,
      bound: loader.wholeMax,
      complete: size =>
        void entries.save(makeEntry(head, size, undefined, { ...freshness, lifetime }, kept), undefined),
      closed: () => {
        if (this.#fills.get(key)?.fill === fill) this.#fills.delete(key);
      },
    });
    fill.fetch = fetch;
    const own = fill.join()!;
    // A request with credentials is nobody else's.
    if (!authorized) this.#fills.set(key, { fill, epoch, askers: lookup.routed.askers });
    return { value: { kind: 'private', own, committed: rememberPass(this.#context, lookup) }, body: fill };
  }
}
