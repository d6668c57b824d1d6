import type { Fields } from '../../origin/fields.js';
import { namedFields } from './cache-control.js';
import { directivesOf } from './freshness.js';

/**
 * Fields that are neither stored nor sent on: of one connection or one message, about the origin's host, or written
 * anew by the edge.
 */
const DROPPED = new Set([
  'accept-ranges',
  'age',
  'alt-svc',
  'cache-status',
  'connection',
  'content-length',
  'content-range',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'server',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'warning',
  'www-authenticate',
]);

/** Fields that describe the object and that the edge sends from what it has learnt from them. */
const DESCRIBED = new Set(['content-type', 'etag', 'last-modified']);

/** Bounds of what is kept of an answer, so that an origin can't fill the catalog with one. */
const COUNT_MAX = 64;
const BYTES_MAX = 16 * 1024;
/** Fields that are kept before all others. */
const FIRST = [
  'cache-control',
  'cdn-cache-control',
  'surrogate-control',
  'expires',
  'vary',
  'content-type',
  'etag',
  'last-modified',
];

/** Fields that are stored only where the configuration has cookies shared by all players. */
const COOKIES = new Set(['set-cookie', 'set-cookie2']);

/** Fields that are about the content of one message: of an object only when that was all of it. */
const OF_CONTENT: ReadonlySet<string> = new Set(['content-digest', 'content-md5']);

/** True for a field that may only be sent with all of the object, as it is. */
export function isOfContent(name: string): boolean {
  return OF_CONTENT.has(name);
}

/** What is known of an answer beside its fields; false where left out. */
export interface KeptContext {
  /** The cookies that it sets are for all players. */
  readonly sharesCookies?: boolean | undefined;
  /** Its content is the whole object. */
  readonly isWhole?: boolean;
  /** They are for the player only whose request it answers. */
  readonly isForOne?: boolean;
}

/**
 * Names in lower case of the fields of an answer that only the player gets whose request it answers (RFC 9111 sections
 * 5.2.2.4 and 5.2.2.7).
 */
export function namesForOne(fields: Fields): string[] {
  const { directives } = directivesOf(fields);
  return [...(namedFields(directives, 'no-cache') ?? []), ...(namedFields(directives, 'private') ?? [])];
}

/** The fields of an answer that are stored with it (RFC 9111 section 3.1), by name in lower case. */
export function keptFields(
  fields: Fields,
  { sharesCookies, isWhole, isForOne }: KeptContext = {},
): Record<string, string> {
  const private_ = isForOne ? [] : namesForOne(fields);
  const kept: Record<string, string> = {};
  let bytes = 0;
  let count = 0;
  for (const name of [...FIRST, ...Object.keys(fields)]) {
    const value = fields[name];
    if ((COOKIES.has(name) && !sharesCookies) || (OF_CONTENT.has(name) && !isWhole)) continue;
    if (value === undefined || DROPPED.has(name) || private_.includes(name) || Object.hasOwn(kept, name)) continue;
    if (bytes + name.length + value.length > BYTES_MAX || count >= COUNT_MAX || name === '__proto__') continue;
    kept[name] = value;
    bytes += name.length + value.length;
    count++;
  }
  return kept;
}

/** Those of the kept fields that are sent on to players. */
export function sentFields(kept: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(kept).flatMap(([name, value]): [string, string][] => {
    if (DESCRIBED.has(name)) return [];
    return name === 'set-cookie' ? cookies(kept) : [[name, value]];
  });
}

/**
 * Set-Cookie fields, which come joined by commas although their dates have commas of their own (RFC 6265 section 3).
 */
export function cookies(fields: Fields): [name: string, value: string][] {
  const joined = fields['set-cookie'];
  if (joined === undefined) return [];
  return joined.split(/,\s*(?=[^\s;,=]+=)/).map(cookie => ['set-cookie', cookie]);
}

/**
 * The stored fields after a 304 (RFC 9111 section 3.2): those that it brings replace what was stored, Content-Type
 * among them, since bytes are sent as they are whatever it says. How they are coded, and what version they are, stays.
 * A type of several parts is that of some other answer, whose body the stored bytes are not.
 */
export function updatedFields(
  kept: Readonly<Record<string, string>>,
  confirmation: Fields,
  sharesCookies = false,
): Record<string, string> {
  const brought = keptFields(confirmation, { sharesCookies });
  for (const name of ['content-encoding', 'etag']) delete brought[name];
  if (/^multipart\//i.test(brought['content-type'] ?? '')) delete brought['content-type'];
  return { ...kept, ...brought };
}
