import type { EdgeUrl, PurgeRequest, PurgeResult } from '../../admin/purge-request.js';
import { EdgeError } from '../../base/errors.js';
import { objectKey } from '../../catalog/object-identity.js';
import type { Purger } from '../../catalog/purge.js';
import type { Config } from '../../config/schema.js';
import { type OwnNames, parseTarget } from '../../http/target.js';
import { type RouteMatch, RouteTable } from '../../origin/route-table.js';
import type { Service } from '../../supervisor/service.js';
import { Addressing } from '../origins/address.js';
import { viewsOf } from './edge-views.js';

/** A key is as long as a request's target may be. */
const TARGET_MAX = 64 * 1024;
const NO_NAMES: OwnNames = { views: new Set(), dropped: new Set() };

/** Carries purges out: finds the keys that URLs have in the catalog, as requests for them would. */
export class PurgeService implements Service<Config> {
  readonly name = 'purges';
  readonly #purger: Purger;
  #config: Config;
  #stopped = false;

  constructor(config: Config, purger: Purger) {
    this.#config = config;
    this.#purger = purger;
  }

  reconfigure(config: Config): void {
    this.#config = config;
  }

  stop(): void {
    this.#stopped = true;
  }

  /**
   * Purges; what it concerns is worthless in every worker when this resolves.
   * @throws EdgeError `bad_request`, `store`, `overloaded` when the edge hands over to another
   */
  async purge({ scope, soft }: PurgeRequest): Promise<PurgeResult> {
    if (this.#stopped)
      throw new EdgeError('overloaded', 'the edge hands over to another: ask again', { retryAfter: 1 });
    if (scope.kind === 'all') return this.#purger.all(soft);
    if (scope.kind === 'prefix') return this.#purger.prefixes(prefixKeys(this.#config, scope.prefix), soft);
    const keys = new Set(scope.urls.flatMap(url => keysOf(this.#config, url)));
    return this.#purger.urls([...keys], soft);
  }
}

/** Keys of a URL; without a host, those of every origin that some host leads to. */
function keysOf(config: Config, { host, path, query }: EdgeUrl): string[] {
  const views = viewsOf(config);
  const names = { views: views.parameters, dropped: new Set(config.http.dropQuery) };
  const target = parseTarget(path, query, TARGET_MAX, names);
  const view = views.find(target);
  const paths = view === undefined ? [target.path] : [view.path, ...(view.others ?? [])];
  return paths.flatMap(each =>
    matches(config, host, each).map(({ rule, path: below }) => {
      const address = new Addressing(rule).address(below, target.query);
      return objectKey(rule.name, address.path, address.keyQuery);
    }),
  );
}

/** Beginnings of keys: the prefix within each origin that lies below or above it. */
function prefixKeys(config: Config, { host, path }: EdgeUrl): string[] {
  const target = parseTarget(path, '', TARGET_MAX, NO_NAMES);
  const within = matches(config, host, target.path).map(
    match => match.rule.name + new Addressing(match.rule).address(match.path, '').path,
  );
  // Origins whose own path lies below the prefix are purged whole.
  const below = config.origins
    .filter(
      origin =>
        origin.path.startsWith(target.path) &&
        (host === undefined || origin.host === undefined || origin.host === host),
    )
    .map(({ name, path: base, stripPath }) => name + (stripPath ? '/' : base));
  return [...new Set([...within, ...below])];
}

/** The origins that a path leads to: for one host, or for every host that there is. */
function matches(config: Config, host: string | undefined, path: string): RouteMatch<Config['origins'][number]>[] {
  const routes = new RouteTable(config.origins);
  if (host === undefined) return routes.findAll(path);
  const match = routes.find(host, path);
  return match === undefined ? [] : [match];
}
