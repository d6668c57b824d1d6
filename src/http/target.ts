import { checkPath } from '../base/checked-path.js';
import { EdgeError } from '../base/errors.js';
import { escapeInvisible } from '../base/percent.js';
import { plainPath } from '../base/places.js';
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
  /** Queries that were read by these names, where players of signed URLs ask for range after range by the same one. */
  readonly known?: Remembered<TargetQuery> | undefined;
}

/** A target without its path. */
type TargetQuery = Omit<Target, 'path'>;

/** Queries that are remembered of each place that has tokens, and paths, in each of two generations. */
const REMEMBERED = 2048;

/** Names of a place where some parameters let players in. */
export function namesWithTokens(own: OwnNames, tokens: ReadonlySet<string>): OwnNames {
  return { ...own, tokens, known: new Remembered(REMEMBERED) };
}

/** For targets that are an origin's as they are. */
export const NO_NAMES: OwnNames = { views: new Set(), dropped: new Set() };

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

/** The path of a request, in the ways in which it is looked at. */
export interface KnownPath {
  /** As in `Target`. */
  readonly checked: string;
  /** As `plainPath` gives it. */
  readonly plain: string;
}

const PATHS = new Remembered<KnownPath>(REMEMBERED);

/**
 * Looks at a path; players ask for range after range of the same one.
 * @param path the part of the target before '?', where bytes that are no UTF-8 have become U+FFFD
 * @throws EdgeError `bad_request`
 */
export function knownPath(path: string): KnownPath {
  let known = PATHS.get(path);
  if (known === undefined) {
    known = { checked: checkPath(path), plain: plainPath(path) };
    PATHS.set(path, known);
  }
  return known;
}

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
  const { checked } = knownPath(path);
  if (query === '') return { path: checked, query, parameters: NO_PARAMETERS, tokens: '' };
  let parsed = names.known?.get(query);
  if (parsed === undefined) {
    parsed = parseQuery(query, names);
    names.known?.set(query, parsed);
  }
  return { path: checked, query: parsed.query, parameters: parsed.parameters, tokens: parsed.tokens };
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
