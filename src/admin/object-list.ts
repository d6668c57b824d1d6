import { EdgeError } from '../base/errors.js';
import type { ExplainedObject } from './explanation.js';
import { type EdgeUrl, fieldsOf, parseEdgeUrl } from './purge-request.js';

/** Objects that are told where nobody says how many. */
export const LIST_LIMIT = 1000;
const LIMIT_MAX = 100_000;
/** How many may be told, for people. */
export const LIST_LIMITS = `a whole number from 1 to ${LIMIT_MAX}`;

/** Which objects are to be listed. */
export interface ListRequest {
  /** Beginning of their paths, as players ask for them; undefined for all. */
  readonly prefix: EdgeUrl | undefined;
  /** Most that are told. */
  readonly limit: number;
}

/** An object that the cache knows. */
export interface ListedObject extends Required<Pick<ExplainedObject, 'age' | 'lifetime' | 'size' | 'freshness'>> {
  /** Cache key, of the variant where there are several. */
  readonly key: string;
  /** Name of its origin. */
  readonly origin: string;
  /** Path and query as players ask for it. */
  readonly path: string;
  /** Blocks of 256 KiB by the tier that they would come from. */
  readonly blocks: { readonly memory: number; readonly disk: number; readonly origin: number };
  readonly tags: readonly string[];
}

/** What the cache knows. */
export interface CachedObjects {
  /** In order of their keys. */
  readonly objects: readonly ListedObject[];
  /** There are more than are told. */
  readonly more: boolean;
}

/**
 * Reads `{"prefix": "/films/", "limit": 1000}`, both of which may be left out.
 * @throws EdgeError `bad_request`
 */
export function parseList(body: unknown): ListRequest {
  const { prefix, limit = LIST_LIMIT } = fieldsOf(body, ['prefix', 'limit']);
  if (!isListLimit(limit)) throw new EdgeError('bad_request', `limit: expected ${LIST_LIMITS}`);
  return { prefix: prefix === undefined ? undefined : parseEdgeUrl(prefix), limit };
}

/** Whether so many objects may be told at once. */
export function isListLimit(limit: unknown): limit is number {
  return Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= LIMIT_MAX;
}
