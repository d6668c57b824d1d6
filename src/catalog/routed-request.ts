import { Askers } from '../origin/askers.js';
import type { ContentRequest } from './content.js';
import { variantKey } from './object-identity.js';
import { type RequestCacheControl, requestCacheControlOf } from './rfc9111/request-cache-control.js';
import type { Route } from './route.js';

/** A player's request whose origin and cache keys are known. */
export interface RoutedRequest {
  readonly request: ContentRequest;
  readonly route: Route;
  /** All who wait for what it brings. */
  readonly askers: Askers;
  /** Cache key of the URL, and of the variant that the request's fields choose. */
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
  /** The request's Cache-Control; undefined when it has none, or it is not obeyed. */
  readonly requestCacheControl: RequestCacheControl | undefined;
}

/**
 * Reads what a lookup needs of a player's request.
 * @param primary cache key of the URL
 * @param names fields that choose the variant, as far as is known
 * @param obeysCacheControl whether the request's Cache-Control counts
 */
export function routed(
  request: ContentRequest,
  route: Route,
  primary: string,
  names: readonly string[],
  obeysCacheControl: boolean,
): RoutedRequest {
  const varied = fieldValues(request, names);
  const authorization = request.field('authorization');
  return {
    request,
    route,
    askers: new Askers(request.asker),
    primary,
    key: variantKey(primary, varied),
    varied,
    fields: fieldsForOrigin(request, route, varied, authorization),
    authorization,
    requestCacheControl: obeysCacheControl ? requestCacheControlOf(name => request.field(name)) : undefined,
  };
}

/** The same with copies of its fields, for when the player's request can't be read any more. */
export function detached(routed: RoutedRequest): RoutedRequest {
  const { host, path, query, hint, asker } = routed.request;
  return { ...routed, request: { host, path, query, hint, asker, field: name => routed.fields[name] ?? '' } };
}

/**
 * The fields of a player's request that go on to the origin.
 * @param varied fields that choose the variant
 * @param authorization '' when there is none
 */
export function fieldsForOrigin(
  request: ContentRequest,
  { forward, set }: Route,
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
  if (set !== undefined) Object.assign(fields, set);
  return fields;
}

/** Values of the named fields of a request. */
export function fieldValues(request: ContentRequest, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [name, request.field(name)]));
}
