/** Names of query parameters; `all` stands for every name that no other list has. */
export type QueryNames = 'all' | 'none' | readonly string[];

/**
 * Which parameters of a query an origin heeds. A name that stands in no list, and is not covered by `all`, is left out.
 */
export interface QuerySettings {
  /**
   * Parameters that are part of the cache key; they go on to the origin. Undefined for what suits the kind of origin.
   */
  readonly key?: QueryNames | undefined;
  /** Parameters that go on to the origin without being part of the key. */
  readonly forward: QueryNames;
  /** Parameters that do neither, though `all` is said. */
  readonly drop: readonly string[];
}

/** A query, parted by an origin's rules. Both without '?', parameters byte for byte and in order. */
export interface PartedQuery {
  /** What goes on to the origin. */
  readonly sent: string;
  /** What is part of the cache key. */
  readonly key: string;
}

const NOTHING: PartedQuery = { sent: '', key: '' };

/** Parts queries by the names of their parameters, which are compared as they are written. */
export class QueryRules {
  readonly #key: Names;
  readonly #forward: Names;
  /** Every parameter is part of the key. */
  readonly #isWhole: boolean;

  /** @param key in place of `settings.key` when that is undefined */
  constructor(settings: QuerySettings, key: QueryNames) {
    const keyNames = settings.key ?? key;
    const { forward, drop } = settings;
    this.#key = names(keyNames, [...drop, ...listed(forward)]);
    this.#forward = names(forward, [...drop, ...listed(keyNames)]);
    this.#isWhole = keyNames === 'all' && drop.length === 0 && listed(forward).length === 0;
  }

  part(query: string): PartedQuery {
    if (query === '') return NOTHING;
    if (this.#isWhole) return { sent: query, key: query };
    const sent: string[] = [];
    const key: string[] = [];
    for (const parameter of query.split('&')) {
      const equals = parameter.indexOf('=');
      const name = equals < 0 ? parameter : parameter.slice(0, equals);
      const counts = this.#key(name);
      if (counts) key.push(parameter);
      if (counts || this.#forward(name)) sent.push(parameter);
    }
    return { sent: sent.join('&'), key: key.join('&') };
  }
}

type Names = (name: string) => boolean;

function names(which: QueryNames, others: readonly string[]): Names {
  if (which === 'none') return () => false;
  const set = new Set(which === 'all' ? others : which);
  return which === 'all' ? name => !set.has(name) : name => set.has(name);
}

function listed(which: QueryNames): readonly string[] {
  return typeof which === 'string' ? [] : which;
}
