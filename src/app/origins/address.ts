import { parseOrigin } from '../../base/origin-url.js';
import { normalPath } from '../../base/percent.js';
import { type QueryNames, QueryRules, type QuerySettings } from '../../origin/query-rules.js';
import { canonicalQuery, keyPath } from '../../origin/s3/s3-key.js';

/** What an origin is asked for, and what of it is part of the cache key. */
export interface Address {
  /** Percent-encoded, beginning with '/': in the one form in which the origin names the object. */
  readonly path: string;
  /** Query that goes on to the origin, without '?'. */
  readonly query: string;
  /** The part of it that tells objects apart. */
  readonly keyQuery: string;
}

/** The settings that decide on addresses. */
export interface AddressSettings {
  readonly url?: string | undefined;
  readonly urls: readonly { readonly url: string }[];
  readonly query: QuerySettings;
}

/** How one kind of origin names its objects. */
interface Kind {
  /** Parameters that tell objects apart unless the configuration says otherwise. */
  readonly key: QueryNames;
  path(path: string): string;
  query(query: string): string;
}

const asItIs = (text: string) => text;

const KINDS: Readonly<Record<ReturnType<typeof parseOrigin>['kind'], Kind>> = {
  // A file has one name, however it is escaped.
  file: { key: 'none', path: normalPath, query: asItIs },
  // Only the server knows which of its URLs are the same.
  http: { key: 'all', path: asItIs, query: asItIs },
  // What GetObject reads. Signed with the edge's keys, others such as `list-type` or `acl` would give away what is
  // nobody's business.
  s3: {
    key: [
      'partNumber',
      'response-cache-control',
      'response-content-disposition',
      'response-content-encoding',
      'response-content-language',
      'response-content-type',
      'response-expires',
      'versionId',
    ],
    path: path => keyPath(path) ?? path,
    query: canonicalQuery,
  },
};

/**
 * Finds what an origin is asked for. Two targets have one key only if the origin is asked the same, but for parameters
 * that the configuration keeps out of it.
 */
export class Addressing {
  readonly #kind: Kind;
  readonly #rules: QueryRules;

  constructor({ url, urls, query }: AddressSettings) {
    this.#kind = KINDS[parseOrigin(url ?? urls[0]!.url).kind];
    this.#rules = new QueryRules(query, this.#kind.key);
  }

  /**
   * @param path of the request behind the origin's own
   * @param query of the request, without what is ours
   */
  address(path: string, query: string): Address {
    const { sent, key } = this.#rules.part(query);
    return { path: this.#kind.path(path), query: this.#kind.query(sent), keyQuery: this.#kind.query(key) };
  }
}
