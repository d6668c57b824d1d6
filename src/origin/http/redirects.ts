import { escapeOctets } from '../../base/percent.js';
import type { Fields } from '../fields.js';
import { type Refusal, refusal } from '../refusal.js';
import { matchesHost } from '../route-table.js';
import type { Location } from './dialect.js';

/** Where a request is sent. */
export interface Target {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly target: string;
  /** One of the configuration's servers, rather than one that was redirected to. */
  readonly own: boolean;
  /** Credentials of the base URL. */
  readonly authorization: Fields;
}

/** The target of an object behind a base URL. Strings are joined, so that nothing is resolved against dot segments. */
export function targetOf(base: URL, { path, query }: Location): Target {
  const target = `${base.pathname.replace(/\/+$/, '')}${path}${query && `?${query}`}`;
  const user = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
  const authorization: Fields = user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` };
  return { origin: base.origin, target, own: true, authorization };
}

/** Follows redirects of an origin, within its own hosts only. */
export class Redirects {
  readonly #bases: readonly URL[];
  readonly #hosts: readonly string[];
  readonly #max: number;

  /**
   * @param bases the origin's own base URLs, whose hosts are always allowed
   * @param hosts names of hosts that may be redirected to as well, on any port; `*.domain` for all below a domain
   * @param max most redirects in a row
   */
  constructor(bases: readonly URL[], hosts: readonly string[], max: number) {
    this.#bases = bases;
    this.#hosts = hosts;
    this.#max = max;
  }

  isRedirect(status: number, fields: Fields): boolean {
    return [301, 302, 303, 307, 308].includes(status) && fields.location !== undefined;
  }

  /** @param visited URLs of the requests made so far, the first included */
  follow(from: Target, fields: Fields, visited: ReadonlySet<string>): Target | Refusal {
    const refuse = (message: string) =>
      refusal('origin_protocol', `the origin redirects ${message}`, 'otherReplica', undefined);
    if (visited.size > this.#max) return refuse(`more than ${this.#max} times`);
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
    if (!own && !this.#hosts.some(host => matchesHost(host, url.hostname))) {
      return refuse('to a host that is not in its redirects.hosts');
    }
    const target = url.pathname + url.search;
    if (visited.has(url.origin + target)) return refuse('in a circle');
    return { origin: url.origin, target, own, authorization: url.origin === from.origin ? from.authorization : {} };
  }
}
