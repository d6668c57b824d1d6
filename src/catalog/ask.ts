import type { Origin } from '../origin/origin.js';
import type { ContentRequest } from './content.js';
import type { RequestCacheControl } from './rfc9111/request-cache-control.js';

/** Where an object comes from. */
export interface Route {
  readonly origin: Origin;
  /** Percent-encoded path to ask the origin for, and the query that goes with it, without '?'. */
  readonly path: string;
  readonly query: string;
  /** The part of the query that tells objects apart. */
  readonly keyQuery: string;
  /** Names of the fields of the player's request that go on to the origin, in lower case. */
  readonly forward: readonly string[];
  /**
   * Milliseconds for which an answer that says nothing of its freshness is fresh, in place of heuristic and default;
   * for origins that are cheap to ask, such as a directory.
   */
  readonly defaultLifetime?: number | undefined;
}

/** Finds the origin of a request; undefined when there is none for it. */
export type Router = (host: string, path: string, query: string) => Route | undefined;

/** A request on its way to an object: what it is about, and what it brings. */
export interface Ask {
  readonly request: ContentRequest;
  readonly route: Route;
  /** Key of the URL, and of the variant that the request's fields choose. */
  readonly primary: string;
  readonly key: string;
  /** Values of the fields that choose the variant, '' where the request has none. */
  readonly varied: Readonly<Record<string, string>>;
  /**
   * Fields that go on to the origin: those that choose the variant, those that the origin is sent anyway,
   * Authorization.
   */
  readonly fields: Readonly<Record<string, string>>;
  /** '' when the request has none. */
  readonly authorization: string;
  readonly requestCacheControl: RequestCacheControl | undefined;
}

/**
 * The fields of a player's request that go on to the origin.
 * @param varied fields that choose the variant
 * @param authorization '' when there is none
 */
export function sentOn(
  request: ContentRequest,
  { forward }: Route,
  varied: Readonly<Record<string, string>>,
  authorization: string,
): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of forward) {
    const value = request.field(name);
    if (value !== '') fields[name] = value;
  }
  for (const [name, value] of Object.entries(varied)) if (value !== '') fields[name] = value;
  if (authorization !== '') fields.authorization = authorization;
  return fields;
}

/** Values of the named fields of a request. */
export function pick(request: ContentRequest, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [name, request.field(name)]));
}
