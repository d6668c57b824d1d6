import { matchesHost } from '../../base/host-pattern.js';
import { escapeOctets } from '../../base/percent.js';
import type { Fields } from '../fields.js';
import { type Refusal, refusal } from '../refusal.js';
import type { Location } from './dialect.js';

/** Where a request is sent. */
export interface OriginTarget {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly target: string;
  /** One of the configuration's servers, rather than one that was redirected to. */
  readonly own: boolean;
  /** Credentials of the base URL. */
  readonly authorization: Fields;
}

/** What all targets behind a base URL share. */
type Base = Pick<OriginTarget, 'origin' | 'authorization'> & { readonly path: string };

const bases = new WeakMap<URL, Base>();

/** The target of an object behind a base URL. Strings are joined, so that nothing is resolved against dot segments. */
export function targetOf(url: URL, { path, query }: Location): OriginTarget {
  const base = bases.get(url) ?? baseOf(url);
  const { origin, authorization } = base;
  return { origin, target: `${base.path}${path}${query && `?${query}`}`, own: true, authorization };
}

function baseOf(url: URL): Base {
  const { origin, pathname, username, password } = url;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization: Fields = user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` };
  const base = { origin, path: pathname.replace(/\/+$/, ''), authorization };
  bases.set(url, base);
  return base;
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** How redirects of an origin are met. */
export interface RedirectsOptions {
  /** `follow`: by the edge, within the origin's hosts; `pass`: by players, which get them as they are. */
  readonly mode: 'follow' | 'pass';
  /**
   * Names of hosts that may be redirected to beside the servers' own, on any port; `*.domain` for all below a domain.
   */
  readonly hosts: readonly string[];
  /** Most redirects in a row. */
  readonly max: number;
}

/** Follows redirects of an origin, within its own hosts only, or leaves them to players. */
export class Redirects {
  readonly #bases: readonly URL[];
  readonly #options: RedirectsOptions;

  /** @param bases the origin's own base URLs, whose hosts are always allowed */
  constructor(bases: readonly URL[], options: RedirectsOptions) {
    this.#bases = bases;
    this.#options = options;
  }

  /** True for an answer that is to be followed. */
  isFollowed(status: number, fields: Fields): boolean {
    return this.#options.mode === 'follow' && STATUSES.has(status) && fields.location !== undefined;
  }

  /** True for an answer that players get as it is. */
  isPassed(status: number): boolean {
    return this.#options.mode === 'pass' && STATUSES.has(status);
  }

  /** @param visited URLs of the requests made so far, the first included */
  follow(from: OriginTarget, fields: Fields, visited: ReadonlySet<string>): OriginTarget | Refusal {
    const refuse = (message: string) =>
      refusal('origin_protocol', `the origin redirects ${message}`, 'otherReplica', undefined);
    const { hosts, max } = this.#options;
    if (visited.size > max) return refuse(`more than ${max} times`);
    let url: URL;
    try {
      // Servers write names beyond ASCII as they are; their octets come as characters up to U+00FF.
      url = new URL(escapeOctets(fields.location!), from.origin + from.target);
    } catch {
      return refuse('to a malformed URL');
    }
    if (url.protocol !== 'https:' && (url.protocol !== 'http:' || from.origin.startsWith('https:'))) {
      return refuse('to a scheme that is not as safe');
    }
    const own = this.#bases.some(({ origin }) => origin === url.origin);
    if (!own && !hosts.some(host => matchesHost(host, url.hostname))) {
      return refuse('to a host that is not in its redirects.hosts');
    }
    const target = url.pathname + url.search;
    if (visited.has(url.origin + target)) return refuse('in a circle');
    return { origin: url.origin, target, own, authorization: url.origin === from.origin ? from.authorization : {} };
  }
}
