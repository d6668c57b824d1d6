import { setTimeout as sleep } from 'node:timers/promises';
import { accessParametersAt } from '../../access/access-rules.js';
import type { EdgeUrl, PurgeRequest, PurgeResult } from '../../admin/purge-request.js';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { GATHERED } from '../../catalog/catalog-store.js';
import { objectKey } from '../../catalog/object-identity.js';
import type { Purger } from '../../catalog/purge.js';
import type { PurgePattern } from '../../catalog/purge-pattern.js';
import type { Config } from '../../config/schema.js';
import { type OwnNames, parseTarget } from '../../http/target.js';
import type { Service } from '../../supervisor/service.js';
import type { Views } from '../../view/views.js';
import { type OriginMatch, OriginTable } from '../origins/origin-table.js';
import { viewsOf } from './edge-views.js';
import { listedPaths } from './listed-paths.js';
import { placesOf } from './origin-places.js';
import { ownAddress } from './player-address.js';

/** A key is as long as a request's target may be. */
const TARGET_MAX = 64 * 1024;
/**
 * Milliseconds after which the catalog has what workers have answered before, commit and all: so that it is counted,
 * and the files of a set are known.
 */
const LEARNT = 4 * GATHERED;
const NO_NAMES: OwnNames = { views: new Set(), dropped: new Set() };

/** Carries purges out: finds the keys that URLs have in the catalog, as requests for them would. */
export class PurgeService implements Service<Config> {
  readonly name = 'purges';
  readonly #purger: Purger;
  readonly #log: Log;
  #config: Config;
  #stopped = false;

  constructor(config: Config, purger: Purger, log: Log) {
    this.#config = config;
    this.#purger = purger;
    this.#log = log;
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
    await sleep(LEARNT);
    if (this.#stopped)
      throw new EdgeError('overloaded', 'the edge hands over to another: ask again', { retryAfter: 1 });
    if (scope.kind === 'all') return this.#purger.all(soft);
    if (scope.kind === 'prefix') return this.#purger.prefixes(prefixKeys(this.#config, scope.prefix), soft);
    if (scope.kind !== 'urls') return this.#purger.matching(patternOf(this.#config, scope), soft);
    const config = this.#config;
    const views = viewsOf(config);
    const objects = scope.urls.flatMap(url => objectsOf(config, views, url));
    const keys = new Set(
      [...objects, ...(await this.#listed(config, views, objects))].flatMap(url => keysOf(config, url)),
    );
    return this.#purger.urls([...keys], soft);
  }

  /** What lists of sets among some objects name. */
  async #listed(config: Config, views: Views, objects: readonly EdgeUrl[]): Promise<EdgeUrl[]> {
    const lists = objects.flatMap(url => {
      const list = views.setAt(url.path);
      if (list === undefined || !('pathsIn' in list)) return [];
      const hosts = matches(config, url.host, url.path).map(({ rule }) => url.host ?? rule.host);
      return [...new Set(hosts)].map(host => ({ url: { ...url, host }, list }));
    });
    if (lists.length === 0) return [];
    const paths = await listedPaths(lists, ownAddress(config), this.#log);
    return lists.flatMap(({ url }, i) => paths[i]!.map(path => ({ ...url, path })));
  }
}

/** What a purge looks for among the keys of objects. */
function patternOf(
  config: Config,
  scope: Extract<PurgeRequest['scope'], { kind: 'tags' | 'glob' | 'regex' }>,
): PurgePattern {
  if (scope.kind === 'tags') return { kind: 'tag', text: scope.tags.join('\n'), places: placesOf(config) };
  if (scope.kind === 'regex') return { kind: 'regex', text: scope.regex, places: placesOf(config) };
  return { kind: 'glob', text: scope.glob, places: placesOf(config, scope.host) };
}

/**
 * The objects that a URL is about; their queries are as origins see them.
 * @throws EdgeError `bad_request`
 */
export function objectsOf(config: Config, views: Views, { host, path, query }: EdgeUrl): EdgeUrl[] {
  const names = {
    views: views.parameters,
    dropped: new Set(config.http.dropQuery),
    tokens: accessParametersAt(config.access, host, path),
  };
  const target = parseTarget(path, query, TARGET_MAX, names);
  const view = views.find(target);
  const set = views.setAt(target.path);
  const others = view?.others ?? (Array.isArray(set) ? (set as readonly string[]) : []);
  return [view?.path ?? target.path, ...others].map(each => ({ host, path: each, query: target.query }));
}

/** Keys of an object; without a host, those of every origin that some host leads to. */
function keysOf(config: Config, { host, path, query }: EdgeUrl): string[] {
  return matches(config, host, path).map(({ rule, addressing, path: below }) => {
    const address = addressing.address(below, query);
    return objectKey(rule.name, address.path, address.keyQuery);
  });
}

/** Beginnings of keys: the prefix within each origin that lies below or above it. */
export function prefixKeys(config: Config, { host, path }: EdgeUrl): string[] {
  const target = parseTarget(path, '', TARGET_MAX, NO_NAMES);
  const within = matches(config, host, target.path).map(
    match => match.rule.name + match.addressing.address(match.path, '').path,
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
function matches(config: Config, host: string | undefined, path: string): OriginMatch<Config['origins'][number]>[] {
  const routes = new OriginTable(config.origins, config.routes);
  if (host === undefined) return routes.findAll(path);
  const match = routes.find(host, path);
  return match === undefined ? [] : [match];
}
