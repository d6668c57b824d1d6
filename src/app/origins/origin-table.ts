import { Overlaid, type Place, plainPath } from '../../base/places.js';
import type { FreshnessOptions } from '../../catalog/rfc9111/freshness.js';
import type { QuerySettings } from '../../origin/query-rules.js';
import { type RouteMatch, type RouteRule, RouteTable } from '../../origin/route-table.js';
import { Addressing, type AddressSettings } from './address.js';

/** What a route says of requests to origins. */
export interface OriginRouteSettings extends Place {
  /** Name of the origin that is asked, in place of the one whose host and path fit. */
  readonly origin?: string | undefined;
  readonly query?: QuerySettings | undefined;
  readonly request?:
    | {
        /** Names in lower case. */
        readonly forward: readonly string[];
        readonly set: Readonly<Record<string, string>>;
      }
    | undefined;
  /** Milliseconds; what is left out is as everywhere. */
  readonly freshness?: { readonly [K in keyof FreshnessOptions]?: FreshnessOptions[K] | undefined } | undefined;
}

/** What routes say together in one place. */
export interface RouteOverlay {
  readonly origin: string | undefined;
  readonly query: QuerySettings | undefined;
  readonly forward: readonly string[];
  /** Names in lower case. */
  readonly set: Readonly<Record<string, string>> | undefined;
  readonly freshness: Partial<FreshnessOptions> | undefined;
}

/** The origin of a request, and what it is asked for. */
export interface OriginMatch<Rule> extends RouteMatch<Rule> {
  readonly addressing: Addressing;
  /** Undefined where no route says anything. */
  readonly overlay: RouteOverlay | undefined;
}

type OriginRule = RouteRule & AddressSettings;

/** Knows which origin a request goes to, by the places of origins and by routes that say otherwise. */
export class OriginTable<Rule extends OriginRule> {
  readonly #table: RouteTable<Rule>;
  readonly #rules: ReadonlyMap<string, Rule>;
  /** One for each that is named somewhere, and '' for all others. */
  readonly #hosts: readonly string[];
  readonly #routes: Overlaid<OriginRouteSettings, RouteOverlay> | undefined;
  /** What origins say of addresses, and what routes say in place of that. */
  readonly #addressings: ReadonlyMap<Rule, Addressing>;
  readonly #ofRoutes = new Map<QuerySettings, Map<Rule, Addressing>>();

  /** @throws EdgeError `bad_config` when two origins are for the same requests */
  constructor(rules: readonly Rule[], routes: readonly OriginRouteSettings[]) {
    this.#table = new RouteTable(rules);
    const named = [...rules, ...routes].map(({ host }) => host?.replace(/^\*/, 'any') ?? '');
    this.#hosts = [...new Set(['', ...named])];
    this.#addressings = new Map(rules.map(rule => [rule, new Addressing(rule)]));
    this.#rules = new Map(rules.map(rule => [rule.name, rule]));
    this.#routes = routes.some(says) ? new Overlaid(routes, overlayOf) : undefined;
  }

  /** Whether the origin of a request depends on its host. */
  get namesHosts(): boolean {
    return this.#hosts.length > 1;
  }

  /**
   * The origin of a request.
   * @param host in lower case, without port
   * @param path percent-encoded
   */
  find(host: string, path: string): OriginMatch<Rule> | undefined {
    const overlay = this.#routes?.at(host, plainPath(path));
    const match = this.#named(overlay, path) ?? this.#table.find(host, path);
    return match && this.#with(overlay, match);
  }

  /** Every origin that some host leads to for a path; for purges that name no host. */
  findAll(path: string): OriginMatch<Rule>[] {
    return this.#hosts.map(host => this.find(host, path)).filter(match => match !== undefined);
  }

  #named(overlay: RouteOverlay | undefined, path: string): RouteMatch<Rule> | undefined {
    const rule = overlay?.origin === undefined ? undefined : this.#rules.get(overlay.origin);
    return rule && this.#table.under(rule, path);
  }

  #with(overlay: RouteOverlay | undefined, match: RouteMatch<Rule>): OriginMatch<Rule> {
    const { rule, path } = match;
    return { rule, path, overlay, addressing: this.#addressing(rule, overlay?.query) };
  }

  #addressing(rule: Rule, query: QuerySettings | undefined): Addressing {
    if (query === undefined) return this.#addressings.get(rule)!;
    let known = this.#ofRoutes.get(query);
    if (known === undefined) {
      known = new Map();
      this.#ofRoutes.set(query, known);
    }
    let addressing = known.get(rule);
    if (addressing === undefined) {
      addressing = new Addressing({ ...rule, query });
      known.set(rule, addressing);
    }
    return addressing;
  }
}

function says({ origin, query, request, freshness }: OriginRouteSettings): boolean {
  return [origin, query, request, freshness].some(each => each !== undefined);
}

function overlayOf(routes: readonly OriginRouteSettings[]): RouteOverlay {
  const set: Record<string, string> = {};
  const freshness: Record<string, number> = {};
  // What comes first counts.
  for (const route of [...routes].reverse()) {
    for (const [name, value] of Object.entries(route.request?.set ?? {})) set[name.toLowerCase()] = value;
    for (const [name, value] of Object.entries(route.freshness ?? {})) if (value !== undefined) freshness[name] = value;
  }
  return {
    origin: routes.find(({ origin }) => origin !== undefined)?.origin,
    query: routes.find(({ query }) => query !== undefined)?.query,
    forward: [...new Set(routes.flatMap(({ request }) => request?.forward ?? []))],
    set: Object.keys(set).length > 0 ? set : undefined,
    freshness: Object.keys(freshness).length > 0 ? freshness : undefined,
  };
}
