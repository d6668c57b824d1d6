import type { Origin, OriginAnswer, OriginFetch, OriginRequest } from '../origin/origin.js';
import type { OpenObject, OpenStream } from './content.js';
import { fetchHead, type HeadResult } from './head-fetch.js';
import { COMMITTED, type PassingContext } from './lookup.js';
import { privateObject } from './private-object.js';

/** What came of asking for something that is not to be kept. */
export type Passed = HeadResult<OpenObject | OpenStream>;

/**
 * Opens what an origin has past the cache: no entry is made of it, and no block of it is kept. Each request has its
 * own.
 * @param key of what is asked for; unlike all keys of objects that are kept
 * @param request for the bytes that the player is about to read, without a condition
 */
export async function openPassing(
  context: PassingContext,
  origin: Origin,
  key: string,
  request: OriginRequest,
): Promise<Passed> {
  const { path, query, fields, askers } = request;
  const route = { origin, path, query, key, forward: [] };
  const lookup = { routed: { askers, key, primary: key, varied: {}, fields, route } };
  const take = (answer: OriginAnswer, fetch: OriginFetch) => {
    const { value, body } = privateObject(context, { lookup, answer, fetch }, COMMITTED, 'peer');
    // Of what is private nothing else can come.
    return { value: (value as { readonly own: OpenObject | OpenStream }).own, body };
  };
  return fetchHead(origin, request, take);
}
