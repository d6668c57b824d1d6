import { checkPath } from '../base/checked-path.js';
import { EdgeError } from '../base/errors.js';
import { escapeInvisible } from '../base/percent.js';
import { Remembered } from '../base/remembered.js';

/** What a request's target says, checked and freed of what is ours. */
export interface Target {
  /**
   * Absolute path, octet for octet as it came, but that octets beyond ASCII are escaped: `//`, `%2F`, `%2f` and `%41`
   * are what they are. Visible ASCII without `?`, `#` and backslash. No segment is a dot segment or holds a control
   * character, escaped or not.
   */
  readonly path: string;
  /** Query without parameters of views and dropped names; the other parameters byte for byte and in order. */
  readonly query: string;
  /** Raw values of parameters of views, the first of each name; '' for a name that stands alone. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Parameters that let the player in, byte for byte and in order: URLs that an answer names bear them, too. */
  readonly tokens: string;
}

/** Names of query parameters that no origin sees. */
export interface OwnNames {
  /** Those that say which view is asked for: they are kept apart. */
  readonly views: ReadonlySet<string>;
  /** Those that are left out, unless they are views'. */
  readonly dropped: ReadonlySet<string>;
  /** Those that let players in. */
  readonly tokens?: ReadonlySet<string> | undefined;
}

/** For targets that are an origin's as they are. */
export const NO_NAMES: OwnNames = { views: new Set(), dropped: new Set() };

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

/** What nearly all queries are made of: nothing of it is forbidden, and nothing need be escaped. */
const PLAIN_QUERY = /^[\x21\x22\x24-\x7e]*$/;
const FORBIDDEN_IN_QUERY = /[\p{Cc}\p{Cs}#\ufffd]/u;

/**
 * Reads the target of a request (RFC 9112 section 3.2, RFC 3986). The path is data of the origin and is not mended;
 * what some server could take for a way out of it is refused.
 * @param path the part before '?', where bytes that are no UTF-8 have become U+FFFD
 * @param query the part after it
 * @param maxLength most characters of both
 * @throws EdgeError `bad_request`, `uri_too_long`
 */
export function parseTarget(path: string, query: string, maxLength: number, names: OwnNames): Target {
  if (path.length + query.length + 1 > maxLength) {
    throw new EdgeError('uri_too_long', `the URL has more than the ${maxLength} characters that are allowed`);
  }
  const checked = checkPath(path);
  if (query === '') return { path: checked, query, parameters: NO_PARAMETERS, tokens: '' };
  // Players of signed URLs ask for range after range by the same one.
  const parsed = names.tokens === undefined ? parseQuery(query, names) : rememberedQuery(query, names);
  return { path: checked, ...parsed };
}

/** A target without its path. */
type TargetQuery = Omit<Target, 'path'>;

/** Queries that are remembered of each place, in each of two generations. */
const REMEMBERED = 2048;
const QUERIES = new WeakMap<OwnNames, Remembered<TargetQuery>>();

function rememberedQuery(query: string, names: OwnNames): TargetQuery {
  let queries = QUERIES.get(names);
  if (queries === undefined) {
    queries = new Remembered(REMEMBERED);
    QUERIES.set(names, queries);
  }
  let parsed = queries.get(query);
  if (parsed === undefined) {
    parsed = parseQuery(query, names);
    queries.set(query, parsed);
  }
  return parsed;
}

function parseQuery(query: string, { views, dropped, tokens }: OwnNames): TargetQuery {
  const isPlain = PLAIN_QUERY.test(query);
  if (!isPlain && FORBIDDEN_IN_QUERY.test(query)) {
    throw new EdgeError('bad_request', 'the query of the URL holds a character that is not allowed');
  }
  let kept = '';
  let bearing = '';
  let parameters: Map<string, string> | undefined;
  let isFirst = true;
  for (let begin = 0; begin <= query.length; ) {
    const next = query.indexOf('&', begin);
    const parameter = next < 0 ? query.slice(begin) : query.slice(begin, next);
    begin = next < 0 ? query.length + 1 : next + 1;
    const equals = parameter.indexOf('=');
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    if (tokens?.has(name)) bearing += bearing === '' ? parameter : `&${parameter}`;
    else if (views.has(name)) {
      parameters ??= new Map();
      if (!parameters.has(name)) parameters.set(name, equals < 0 ? '' : parameter.slice(equals + 1));
    } else if (!dropped.has(name)) {
      kept += isFirst ? parameter : `&${parameter}`;
      isFirst = false;
    }
  }
  return {
    query: isPlain ? kept : escapeInvisible(kept),
    parameters: parameters ?? NO_PARAMETERS,
    tokens: isPlain ? bearing : escapeInvisible(bearing),
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
