import { EdgeError } from '../base/errors.js';

/** What a request's target says, checked and freed of what is ours. */
export interface Target {
  /**
   * Absolute path in one normal form: percent-encoded UTF-8, unreserved characters plain, other escapes in upper case,
   * no empty segments but a last one, no dot segments, no escaped slash, backslash or control character.
   */
  readonly path: string;
  /** Query without `start`, `end` and dropped names; the other parameters byte for byte and in order. */
  readonly query: string;
  /** Raw value of the first such parameter; undefined when there is none. */
  readonly start: string | undefined;
  readonly end: string | undefined;
}

/** A path that needs no look at its characters: segments begin with no dot, and hold no escape. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~!$&'()*+,=:@-]*)+$/;
const CONTROL = /\p{Cc}/u;
const FORBIDDEN_IN_PATH = /[\p{Cc}\\#\ufffd]/u;
const FORBIDDEN_IN_QUERY = /[\p{Cc}#\ufffd]/u;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})|%2f|%5c/i;
const UNRESERVED = /[A-Za-z0-9._~-]/;
const PLAIN_QUERY = /^[\x21\x22\x24-\x7e]*$/;

/**
 * Reads the target of a request (RFC 9112 section 3.2, RFC 3986). What is ambiguous is refused rather than mended, so
 * that no origin can read a path differently from us.
 * @param path the part before '?', where bytes that are no UTF-8 have become U+FFFD
 * @param query the part after it
 * @param maxLength most characters of both
 * @param dropped names of query parameters that are left out
 * @throws EdgeError `bad_request`
 */
export function parseTarget(path: string, query: string, maxLength: number, dropped: ReadonlySet<string>): Target {
  if (path.length + query.length + 1 > maxLength) {
    throw new EdgeError('bad_request', `the URL has more than the ${maxLength} characters that are allowed`);
  }
  const normal = PLAIN_PATH.test(path) ? path : normalisePath(path);
  if (query === '') return { path: normal, query, start: undefined, end: undefined };
  return parseQuery(normal, query, dropped);
}

function normalisePath(path: string): string {
  if (!path.startsWith('/') || FORBIDDEN_IN_PATH.test(path)) throw refused('holds a character that is not allowed');
  if (BAD_ESCAPE.test(path)) throw refused('holds a broken escape, or an escaped slash or backslash');
  if (CONTROL.test(decode(path))) throw refused('holds an escaped control character');
  const segments = path.split('/').slice(1).map(normaliseSegment);
  const last = segments.pop()!;
  return `/${[...segments.filter(segment => segment !== ''), last].join('/')}`;
}

function normaliseSegment(segment: string): string {
  const escaped = segment
    .replace(/%[0-9A-Fa-f]{2}/g, octet => {
      const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
      return UNRESERVED.test(character) ? character : octet.toUpperCase();
    })
    .replace(/[^A-Za-z0-9._~!$&'()*+,;=:@%-]/gu, encodeURIComponent);
  // Some servers drop ';' and what follows it from a segment, and so see dots where there seemed to be none.
  const name = escaped.split(/;|%3B/, 1)[0];
  if (name === '.' || name === '..') throw refused('holds a dot segment');
  return escaped;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused('holds escapes that are no UTF-8');
  }
}

function refused(what: string): EdgeError {
  return new EdgeError('bad_request', `the path of the URL ${what}`);
}

function parseQuery(path: string, query: string, dropped: ReadonlySet<string>): Target {
  if (FORBIDDEN_IN_QUERY.test(query)) {
    throw new EdgeError('bad_request', 'the query of the URL holds a character that is not allowed');
  }
  const kept: string[] = [];
  let start: string | undefined;
  let end: string | undefined;
  for (const parameter of query.split('&')) {
    const equals = parameter.indexOf('=');
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    const value = equals < 0 ? '' : parameter.slice(equals + 1);
    if (name === 'start') start ??= value;
    else if (name === 'end') end ??= value;
    else if (!dropped.has(name)) kept.push(parameter);
  }
  const rest = kept.join('&');
  return {
    path,
    query: PLAIN_QUERY.test(rest) ? rest : rest.replace(/[^\x21-\x7e]/gu, encodeURIComponent),
    start,
    end,
  };
}

const HOST = /^(?<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{0,255}?)\.?(?::\d{0,5})?$/;
/** The last field that was read, and its host: an edge has few names. */
let lastField = '';
let lastHost = '';

/**
 * The host of a Host field, in lower case, without port and without a last dot (RFC 9110 section 7.2).
 * @throws EdgeError `bad_request`
 */
export function parseHost(field: string): string {
  if (field === lastField) return lastHost;
  const host = HOST.exec(field)?.groups?.name;
  if (host === undefined) throw new EdgeError('bad_request', 'the Host field holds no host name');
  lastField = field;
  lastHost = host.toLowerCase();
  return lastHost;
}
