import { randomUUID } from 'node:crypto';
import { BLOCK_SIZE } from '../base/block.js';
import { hasValidator } from '../origin/fields.js';
import type { OriginAnswer, OriginFetch, OriginRequest } from '../origin/origin.js';
import { confirmedObject } from './confirmed-object.js';
import type { OpenStream } from './content.js';
import { makeEntry } from './entry.js';
import { filledObject } from './filled-object.js';
import { firstRange } from './first-range.js';
import { fetchHead } from './head-fetch.js';
import {
  answerFreshness,
  COMMITTED,
  type Lookup,
  type LookupContext,
  type LookupMode,
  type LookupResult,
  type Outcome,
  rememberPass,
  sharesCookies,
} from './lookup.js';
import { variantKey } from './object-identity.js';
import { oneFetchObject } from './one-fetch-object.js';
import { privateObject } from './private-object.js';
import { notStored, varyNames } from './rfc9111/storable.js';
import { fieldValues, type RoutedRequest } from './routed-request.js';
import { UnsizedObjects } from './unsized-objects.js';

/** Asks the origin about an object, by the first fetch of its bytes: never by a request for the head alone. */
export class OriginLookup {
  readonly #context: LookupContext;
  readonly #unsized: UnsizedObjects;

  constructor(context: LookupContext) {
    this.#context = context;
    this.#unsized = new UnsizedObjects(context);
  }

  /** A stream from a fetch of unknown size that is under way already; undefined when there is none to join. */
  join(routed: RoutedRequest): OpenStream | undefined {
    return this.#unsized.join(routed);
  }

  /** Never rejects. */
  async make(routed: RoutedRequest, mode: LookupMode): Promise<LookupResult> {
    const { purges, loader } = this.#context;
    const { origin, path, query } = routed.route;
    const { hard, soft } = purges.marks(routed.primary);
    const lookup = { routed, mode, epoch: hard, validated: Math.max(purges.known, hard, soft) };
    const entry = mode.stale?.entry;
    const validator = entry?.kind === 'object' ? entry.object.validator : undefined;
    const condition = validator && hasValidator(validator) ? ({ kind: 'changed', validator } as const) : undefined;
    let range: OriginRequest['range'] = firstRange(loader, routed.request, mode);
    let current: Lookup = lookup;
    for (;;) {
      const { fields, askers } = routed;
      const request: OriginRequest = { path, query, range, condition, fields, askers };
      const result = await fetchHead(origin, request, (answer, fetch) => this.#take(current, answer, fetch));
      if (result.kind === 'taken' && typeof result.value === 'object') return result.value;
      if (result.kind === 'taken' && result.value === 'part wanted') {
        current = { ...lookup, mode: { ...mode, pass: true } };
        range = firstRange(loader, routed.request, current.mode);
        continue;
      }
      if (result.kind === 'refused' && (result.error.code !== 'range_not_satisfiable' || range === undefined))
        return result;
      // The size is learnt from the first block, and that of an empty object, or of one that is kept secret, from the
      // whole.
      const isEmpty: boolean = result.kind === 'taken' || result.answer?.size === 0 || range?.start === 0;
      range = isEmpty ? undefined : { start: 0, end: BLOCK_SIZE };
    }
  }

  /** Decides what an answer is, by its head; each outcome has its own file. */
  #take(lookup: Lookup, found: OriginAnswer, fetch: OriginFetch): Outcome {
    const context = this.#context;
    const { routed } = lookup;
    if (found.status === 304) return { value: confirmedObject(context, lookup, found), body: undefined };
    if (found.status === 206 && found.size === undefined) return { value: 'size missing', body: undefined };
    const validator = context.validators.trusted(routed.key, found.validator);
    const answer = validator === found.validator ? found : { ...found, validator };
    const taken = { lookup, answer, fetch };
    const names = varyNames(answer.fields);
    const varied = fieldValues(routed.request, names);
    const authorized = routed.authorization !== '';
    const reason = notStored(answer.fields, { authorized, setCookie: context.setCookie });
    if (reason !== undefined || routed.requestCacheControl?.noStore) {
      const isOfThisRequest = reason === undefined || reason === 'authorization';
      return privateObject(context, taken, isOfThisRequest ? COMMITTED : rememberPass(context, lookup));
    }
    const committed = this.#rememberVary(lookup, names);
    // What was sent has chosen this answer: it must be what this player would have sent.
    if (names.some(name => varied[name] !== (routed.fields[name] ?? ''))) {
      return { value: { kind: 'vary', committed }, body: undefined };
    }
    const isOneFetch = !hasValidator(answer.validator) && answer.size !== 0;
    const nonce = isOneFetch ? randomUUID() : '';
    const { primary, route } = routed;
    const { epoch, validated } = lookup;
    const key = variantKey(primary, varied);
    const { path } = route;
    const isShared = sharesCookies(context);
    const identity = { key, primary, epoch, validated, varied, authorized, nonce, path, sharesCookies: isShared };
    const freshness = answerFreshness(context, answer.fields, answer, route);
    if (answer.size === undefined) return this.#unsized.take(taken, identity, freshness);
    const entry = makeEntry(answer, answer.size, answer.size, freshness, identity);
    return isOneFetch ? oneFetchObject(context, taken, entry) : filledObject(context, taken, entry, committed);
  }

  /** Remembers which fields of requests choose among the URL's answers. */
  #rememberVary({ routed: { primary }, epoch }: Lookup, names: readonly string[]): Promise<void> {
    if (names.length === 0) return COMMITTED;
    const { entries } = this.#context;
    const known = entries.find(primary, primary)?.entry;
    if (known?.kind === 'vary' && known.names.join() === names.join()) return COMMITTED;
    return entries.save({ kind: 'vary', key: primary, primary, epoch, names }, undefined).committed;
  }
}
