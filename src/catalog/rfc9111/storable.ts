import type { Fields } from '../../origin/fields.js';
import { isUnqualified } from './cache-control.js';
import { directivesOf } from './freshness.js';

/** Why an answer is not stored: a closed set, for logs and counters. */
export type NotStored = 'no-store' | 'private' | 'vary' | 'authorization' | 'set-cookie';

/** Most names of a Vary field that are kept apart; an answer with more is not stored. */
const VARY_MAX = 8;

/**
 * What becomes of answers that set cookies: `bypass`: they are not stored; `drop`: they are stored without the cookie;
 * `share`: they are stored with it, for all players (RFC 9111 section 7.3).
 */
export type SetCookie = 'drop' | 'bypass' | 'share';

/** What decides beside the answer whether it may be stored. */
export interface StoringContext {
  /** The request bore Authorization. */
  readonly authorized: boolean;
  readonly setCookie: SetCookie;
}

/** Why a 200 or 206 may not be stored by a shared cache (RFC 9111 section 3); undefined when it may. */
export function notStored(fields: Fields, { authorized, setCookie }: StoringContext): NotStored | undefined {
  const { directives } = directivesOf(fields);
  // A cache that understands the status may store what others must not (RFC 9111 section 5.2.2.3).
  if (directives.has('no-store') && !directives.has('must-understand')) return 'no-store';
  if (isUnqualified(directives, 'private')) return 'private';
  const names = varyNames(fields);
  if (names.includes('*') || names.length > VARY_MAX) return 'vary';
  const shared = directives.has('public') || directives.has('s-maxage') || directives.has('must-revalidate');
  if (authorized && !shared) return 'authorization';
  if (setCookie === 'bypass' && fields['set-cookie'] !== undefined) return 'set-cookie';
  return undefined;
}

/**
 * Names of the request fields that the answer depends on (RFC 9110 section 12.5.5), in lower case, sorted.
 * Accept-Encoding is left out: origins are always asked for the identity coding.
 */
export function varyNames(fields: Fields): string[] {
  const names = new Set((fields.vary ?? '').split(',').map(name => name.trim().toLowerCase()));
  names.delete('');
  names.delete('accept-encoding');
  return [...names].sort();
}
