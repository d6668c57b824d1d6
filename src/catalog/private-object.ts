import { randomUUID } from 'node:crypto';
import { blockOf } from '../base/block.js';
import { BypassStream } from '../cache/fetch/bypass-stream.js';
import { ObjectLoader } from '../cache/fetch/object-loader.js';
import type { Begun } from '../cache/read/reader.js';
import type { OriginAnswer, OriginFetch } from '../origin/origin.js';
import { entryForOne, makeEntry } from './entry.js';
import { answerFreshness, type Outcome, type PassingContext, sharesCookies } from './lookup.js';
import { OpenedObject } from './opened-object.js';
import { cookies } from './rfc9111/kept-fields.js';
import type { RoutedRequest } from './routed-request.js';
import { UnsizedStream } from './unsized-stream.js';

/** An answer that goes past the cache, and the fetch that goes on to bring its body. */
export interface AnswerToPass {
  readonly lookup: {
    readonly routed: Pick<RoutedRequest, 'askers' | 'key' | 'primary' | 'varied' | 'fields' | 'route'>;
  };
  readonly answer: OriginAnswer;
  readonly fetch: OriginFetch;
}

/**
 * Outcome of an answer that must not be stored, or can't be: it goes past the cache to the player who asked.
 * @param outcome what is said of it
 */
export function privateObject(
  context: PassingContext,
  { lookup, answer, fetch }: AnswerToPass,
  committed: Promise<void>,
  outcome: 'bypass' | 'peer' = 'bypass',
): Outcome {
  const { askers, key: variant, primary, varied, fields, route } = lookup.routed;
  const { path, origin, query } = route;
  // A key of its own, so that no other request finds these bytes.
  const key = `${variant}\n${randomUUID()}`;
  const freshness = answerFreshness(context, answer.fields, answer, undefined);
  const ofNobody = { epoch: 0, validated: 0, authorized: false, nonce: key };
  const identity = { key, primary, ...ofNobody, varied, path, sharesCookies: sharesCookies(context) };
  const entry = makeEntry(answer, answer.size ?? 0, answer.size, freshness, identity);
  const { object: bare } = entryForOne(entry, answer, sharesCookies(context));
  const set = context.setCookie === 'bypass' ? cookies(answer.fields) : [];
  const object = set.length === 0 ? bare : { ...bare, fields: [...bare.fields, ...set] };
  if (answer.size === undefined) {
    const stream = new UnsizedStream(object.contentType, object.fields, fetch);
    return { value: { kind: 'private', own: stream, committed }, body: stream };
  }
  const { id, size, validator } = object;
  const source = { id, size, origin, path, query, fields, validator, cacheable: false, changed() {} };
  const loader = new ObjectLoader(context.loader, source);
  const stream = new BypassStream(loader, answer.offset, answer.offset + (answer.length ?? size), askers);
  stream.adopt(fetch);
  const from = blockOf(answer.offset);
  const begun: Begun = { from, to: from + 1, stream };
  const own = new OpenedObject({ object, freshness }, context.now(), outcome, loader, askers.first, begun);
  return { value: { kind: 'private', own, committed }, body: stream };
}
