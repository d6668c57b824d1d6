/**
 * Directives of a Cache-Control field: names in lower case, arguments without their quotes, undefined where there is
 * none.
 */
export type Directives = ReadonlyMap<string, string | undefined>;

/**
 * A directive with a token or a quoted string as its argument. No space may stand beside the sign: an argument behind
 * one is none.
 */
const DIRECTIVE = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
/** More than anybody uses; what is beyond is not read. */
const DIRECTIVES_MAX = 64;
/** Values beyond this many seconds count as this many (RFC 9111 section 1.2.2). */
export const SECONDS_MAX = 2 ** 31;

/**
 * Reads a Cache-Control field (RFC 9111 section 5.2). What can't be read is passed over; of a directive that comes
 * twice the first counts.
 */
export function parseCacheControl(value: string): Directives {
  const directives = new Map<string, string | undefined>();
  for (let at = 0; at < value.length && directives.size < DIRECTIVES_MAX; ) {
    while (at < value.length && (value[at] === ',' || value[at] === ' ' || value[at] === '\t')) at++;
    DIRECTIVE.lastIndex = at;
    const match = DIRECTIVE.exec(value);
    if (match === null) {
      at = nextComma(value, at);
      continue;
    }
    at = nextComma(value, DIRECTIVE.lastIndex);
    const name = match[1]!.toLowerCase();
    if (!directives.has(name)) directives.set(name, match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3]);
  }
  return directives;
}

function nextComma(value: string, from: number): number {
  const comma = value.indexOf(',', from);
  return comma < 0 ? value.length : comma;
}

/**
 * Seconds of a directive such as max-age; undefined when it is absent. One that is no number counts as 0, so that
 * broken freshness is stale (RFC 9111 section 4.2.1).
 */
export function secondsOf(directives: Directives, name: string): number | undefined {
  if (!directives.has(name)) return undefined;
  const value = directives.get(name) ?? '';
  return /^\d+$/.test(value) ? Math.min(SECONDS_MAX, Number(value)) : 0;
}

/**
 * Field names in the argument of no-cache or private, in lower case; undefined when the directive is absent or has no
 * argument.
 */
export function namedFields(directives: Directives, name: string): string[] | undefined {
  const value = directives.get(name);
  if (value === undefined || value === '') return undefined;
  return value.split(',').map(field => field.trim().toLowerCase());
}

/** True when the directive stands for the whole answer, not only for the fields that it names. */
export function isUnqualified(directives: Directives, name: string): boolean {
  return directives.has(name) && namedFields(directives, name) === undefined;
}

/** The name by which Surrogate-Control may mean this cache, as its requests say in Surrogate-Capability. */
const SURROGATE = 'moovedge';
const SURROGATE_DIRECTIVE = /^(?:(?<noStore>no-store)|max-age=(?<fresh>\d+)(?:\+(?<stale>\d+))?)$/i;

/**
 * Reads a Surrogate-Control field (Edge Architecture Specification, W3C Note of 2001): `no-store`, and `max-age` with
 * what it may be used stale behind a plus; each perhaps for one surrogate only, whose name follows a semicolon.
 * @returns undefined when nothing in it is for this cache: then Cache-Control and Expires count
 */
export function parseSurrogate(value: string | undefined): Directives | undefined {
  const everybodys = new Map<string, string | undefined>();
  const own = new Map<string, string | undefined>();
  for (const member of value?.split(',', DIRECTIVES_MAX) ?? []) {
    const [directive, ...targets] = member.split(';').map(part => part.trim());
    const found = SURROGATE_DIRECTIVE.exec(directive!)?.groups;
    const isOwn = targets.some(target => target.toLowerCase() === SURROGATE);
    if (found === undefined || (targets.length > 0 && !isOwn)) continue;
    const directives = isOwn ? own : everybodys;
    if (found.noStore !== undefined) directives.set('no-store', undefined);
    else directives.set('max-age', found.fresh);
    if (found.stale === undefined) continue;
    for (const name of ['stale-while-revalidate', 'stale-if-error']) directives.set(name, found.stale);
  }
  // What is for one surrogate overrules what is for all.
  const directives = own.size > 0 ? own : everybodys;
  return directives.size > 0 ? directives : undefined;
}

/** Directives whose value is a number of seconds. */
const COUNTS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);

/**
 * One member of a Structured Fields dictionary (RFC 8941): a boolean, an integer, a string or a token, with parameters
 * that are passed over.
 */
const MEMBER =
  /^([a-z*][a-z0-9_.*-]*)(?:=(?:(\?[01])|(-?\d{1,15})|"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"|([A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)))?(?:;\s*[a-z*][a-z0-9_.*-]*(?:=[^;,]*)?)*$/;

/**
 * Reads a targeted field such as CDN-Cache-Control (RFC 9213 section 2.1), which is a Structured Fields dictionary.
 * @returns undefined when the field is absent, empty or malformed: then Cache-Control and Expires count
 */
export function parseTargeted(value: string | undefined): Directives | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const directives = new Map<string, string | undefined>();
  for (const member of value.split(',')) {
    const match = MEMBER.exec(member.trim());
    if (match === null || directives.size >= DIRECTIVES_MAX) return undefined;
    const [, name, boolean, integer, text, token] = match;
    // One of another type makes the field as good as absent (RFC 9213 section 2.1).
    if (COUNTS.has(name!) && integer === undefined) return undefined;
    if (boolean === '?0') directives.delete(name!);
    else directives.set(name!, integer ?? text ?? token);
  }
  return directives;
}
