import type { Fields } from '../fields.js';
import type { OriginRequest } from '../origin.js';
import type { Refusal } from '../refusal.js';
import type { Wanted } from './response-head.js';

/** What a kind of HTTP server does differently from a plain one. */
export interface Dialect {
  /**
   * Path and query behind the base URL, and the player's fields that go with them; undefined when no object can have
   * that name.
   */
  locate(request: OriginRequest): Location | undefined;
  /**
   * Fields of a request with its signature added. Called for each request that is sent, redirects included.
   * @param url origin and target as they will be sent
   */
  sign?(url: string, fields: Record<string, string>): Record<string, string> | Promise<Record<string, string>>;
  /** Its refusals may tell of the credentials that it was asked with: players don't see them. */
  readonly tellsSecrets?: boolean;
  /**
   * Looks at an answer before anything else does; undefined when it is one of such a server's.
   * @param fields as they came, those of one hop among them
   */
  check?(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): Refusal | undefined;
  /** What a refusing answer means, when its body or fields say more than its status; undefined to go by the status. */
  explain?(status: number, fields: Fields, body: string, wanted: Wanted): Refusal | undefined;
}

/** Where an object is, behind a base URL. */
export interface Location {
  /** Percent-encoded, starting with '/'. */
  readonly path: string;
  /** Without '?'; empty when there is none. */
  readonly query: string;
  /** Fields of the player's request that are sent on. */
  readonly fields: Fields;
}

const DOT_SEGMENT = /\/(\.|%2e){1,2}(\/|$)/i;

/** True when a percent-encoded path stays below its base and can be sent as it is. */
export function isPlainPath(path: string): boolean {
  return /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/.test(path) && !DOT_SEGMENT.test(path);
}
