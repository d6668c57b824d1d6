import { EdgeError } from '../base/errors.js';
import { escapeInvisible } from '../base/percent.js';

/** Most URLs of one purge or prefetch. */
const URLS_MAX = 10_000;
const URL_LENGTH_MAX = 16 * 1024;
/** Most tags of one purge, and most characters of a pattern. */
const TAGS_MAX = 1000;
const PATTERN_MAX = 1000;

/** A URL of the edge as a player would ask for it. */
export interface EdgeUrl {
  /** Host field without port, in lower case; undefined stands for any host. */
  readonly host: string | undefined;
  /** Percent-encoded path that begins with '/'. */
  readonly path: string;
  /** Query string without '?'; empty when there is none. */
  readonly query: string;
}

/** What shall no longer be served. */
export interface PurgeRequest {
  readonly scope:
    | { readonly kind: 'urls'; readonly urls: readonly EdgeUrl[] }
    /** Everything whose path begins with the prefix's path. */
    | { readonly kind: 'prefix'; readonly prefix: EdgeUrl }
    /** Objects with one of these tags, of whatever origin. */
    | { readonly kind: 'tags'; readonly tags: readonly string[] }
    /** Objects whose path, on a host or any, fits a glob: `*` within a segment, `**` over segments, `?`. */
    | { readonly kind: 'glob'; readonly host: string | undefined; readonly glob: string }
    /** Objects in whose path and query a regular expression of RE2 is found. */
    | { readonly kind: 'regex'; readonly regex: string }
    | { readonly kind: 'all' };
  /**
   * Marks stale instead: the next request revalidates, and stale answers remain allowed where the policy allows them.
   */
  readonly soft: boolean;
}

/** What a purge did. */
export interface PurgeResult {
  /** Objects that the catalog knew and that were not purged before; variants of one URL are one. */
  readonly objects: number;
  /** True when there are more, and counting them would have taken too long. */
  readonly more: boolean;
}

/**
 * Reads a purge from the body of a request: `{"urls": […]}`, `{"prefix": "…"}`, `{"tags": […]}`, `{"glob": "…"}`,
 * `{"regex": "…"}` or `{"all": true}`, each with `"soft": true` or without.
 * @throws EdgeError `bad_request`
 */
export function parsePurge(body: unknown): PurgeRequest {
  const fields = fieldsOf(body, ['urls', 'prefix', 'tags', 'glob', 'regex', 'all', 'soft']);
  const { urls, prefix, tags, glob, regex, all, soft = false } = fields;
  if (typeof soft !== 'boolean') throw wrong('soft', 'true or false', soft);
  if ([urls, prefix, tags, glob, regex, all].filter(field => field !== undefined).length !== 1) {
    throw new EdgeError('bad_request', 'expected exactly one of urls, prefix, tags, glob, regex and all');
  }
  if (urls !== undefined) return { scope: { kind: 'urls', urls: parseUrls(urls).map(withoutPattern) }, soft };
  if (prefix !== undefined) return { scope: { kind: 'prefix', prefix: withoutPattern(parseEdgeUrl(prefix)) }, soft };
  if (tags !== undefined) return { scope: { kind: 'tags', tags: parseTags(tags) }, soft };
  if (glob !== undefined) return { scope: { kind: 'glob', ...parseGlob(glob) }, soft };
  if (regex !== undefined) return { scope: { kind: 'regex', regex: patternText('regex', regex) }, soft };
  if (all !== true) throw wrong('all', 'true', all);
  return { scope: { kind: 'all' }, soft };
}

/** @throws EdgeError `bad_request` for a pattern, which would purge nothing and look as if it had */
function withoutPattern(url: EdgeUrl): EdgeUrl {
  if (!url.path.includes('*')) return url;
  const [head = '/'] = /^[^*]*\//.exec(url.path) ?? [];
  throw new EdgeError(
    'bad_request',
    `found a pattern, ${JSON.stringify(url.path).slice(0, 200)}: say glob (purge --glob), or purge the prefix ${head}, or write %2A for a * that is part of a name`,
  );
}

function parseTags(value: unknown): string[] {
  const isTag = (tag: unknown) => typeof tag === 'string' && /^[\x21-\x2b\x2d-\x7e]{1,1024}$/.test(tag);
  if (!Array.isArray(value) || value.length === 0 || value.length > TAGS_MAX || !value.every(isTag))
    throw wrong('tags', `a list of 1 to ${TAGS_MAX} tags without blanks and commas`, value);
  return value;
}

function parseGlob(value: unknown): { host: string | undefined; glob: string } {
  const [, host, glob] = /^(?:https?:\/\/([^/?#]+))?(\/[\s\S]*)$/i.exec(patternText('glob', value)) ?? [];
  if (glob === undefined) throw wrong('glob', 'a path or a URL with * or **, such as /films/**', value);
  return { host: host?.toLowerCase().replace(/:\d*$/, ''), glob: escapeInvisible(glob) };
}

function patternText(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= PATTERN_MAX) return value;
  throw wrong(name, `a pattern of 1 to ${PATTERN_MAX} characters`, value);
}

/**
 * The fields of a JSON object.
 * @throws EdgeError `bad_request` when `body` is no object or has a field that is not `known`
 */
export function fieldsOf(body: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new EdgeError('bad_request', `expected a JSON object with ${known.join(', ')}`);
  }
  const unknown = Object.keys(body).find(key => !known.includes(key));
  if (unknown !== undefined)
    throw new EdgeError('bad_request', `expected ${known.join(', ')}, found ${JSON.stringify(unknown)}`);
  return body as Record<string, unknown>;
}

/**
 * Reads `{"url": …}`.
 * @throws EdgeError `bad_request`
 */
export function parseWhy(body: unknown): EdgeUrl {
  return parseEdgeUrl(fieldsOf(body, ['url']).url);
}

/**
 * A list of URLs.
 * @throws EdgeError `bad_request`
 */
export function parseUrls(value: unknown): EdgeUrl[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > URLS_MAX) {
    throw new EdgeError('bad_request', `expected urls to be a list of 1 to ${URLS_MAX} URLs or paths`);
  }
  return value.map(parseEdgeUrl);
}

/**
 * A URL (`http://edge:8080/films/a.mp4`) or a path (`/films/a.mp4`) of the edge. Path and query are taken octet for
 * octet, as the edge takes them from players, but dot segments are resolved and what can't stand in a request is
 * escaped, as players do themselves.
 * @throws EdgeError `bad_request`
 */
export function parseEdgeUrl(value: unknown): EdgeUrl {
  const isPath = typeof value === 'string' && value.startsWith('/') && !value.startsWith('//');
  const absolute = isPath ? `http://any.invalid${value}` : value;
  const parts = typeof absolute === 'string' && absolute.length <= URL_LENGTH_MAX ? PARTS.exec(absolute) : null;
  if (parts === null || !URL.canParse(absolute as string)) {
    throw wrong('a URL or a path that begins with /', 'http://host/path or /path', value);
  }
  const { path = '', query = '' } = parts.groups!;
  return {
    host: isPath ? undefined : new URL(absolute as string).hostname,
    path: escapeInvisible(withoutDotSegments(path || '/')),
    query: escapeInvisible(query),
  };
}

const PARTS = /^https?:\/\/[^/?#]*(?<path>[^?#]*)(?:\?(?<query>[^#]*))?/i;
const ONE_DOT = /^(?:\.|%2e)$/i;
const TWO_DOTS = /^(?:\.|%2e){2}$/i;

/** RFC 3986 section 5.2.4; what two dots would lead above the root is left out. */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (TWO_DOTS.test(segment)) kept.pop();
    if (!ONE_DOT.test(segment) && !TWO_DOTS.test(segment)) kept.push(segment);
    else if (isLast) kept.push('');
  });
  return `/${kept.join('/')}`;
}

function wrong(what: string, expected: string, found: unknown): EdgeError {
  return new EdgeError(
    'bad_request',
    `${what}: expected ${expected}, found ${String(JSON.stringify(found)).slice(0, 200)}`,
  );
}
