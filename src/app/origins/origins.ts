import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { type OriginPlace, parseOrigin } from '../../base/origin-url.js';
import { Remembered } from '../../base/remembered.js';
import { objectKey } from '../../catalog/object-identity.js';
import { FileOrigin } from '../../origin/file/file-origin.js';
import type { HealthOptions } from '../../origin/http/health-checks.js';
import { HttpOrigin, type HttpOriginOptions } from '../../origin/http/http-origin.js';
import type { ManagedOrigin, OriginObserver } from '../../origin/origin-stats.js';
import type { RouteRule } from '../../origin/route-table.js';
import type { CredentialsProvider } from '../../origin/s3/provided-credentials.js';
import { createS3Origin } from '../../origin/s3/s3-origin.js';
import type { Address, AddressSettings } from './address.js';
import { type OriginRouteSettings, OriginTable } from './origin-table.js';

/** One origin as the configuration describes it. Times in milliseconds; files of `tls` and `s3` by name. */
export interface OriginSettings
  extends RouteRule,
    Pick<AddressSettings, 'query'>,
    Pick<
      HttpOriginOptions,
      | 'name'
      | 'balance'
      | 'timeouts'
      | 'retries'
      | 'maxConnections'
      | 'maxFetches'
      | 'queue'
      | 'retryAfter'
      | 'redirects'
      | 'headers'
      | 'shield'
    > {
  /** A place that `parseOrigin` reads; or `urls`, all of one kind. */
  readonly url?: string | undefined;
  readonly urls: readonly { readonly url: string; readonly weight: number }[];
  /** Names of the request fields that go on to the origin, in lower case. */
  readonly forward: readonly string[];
  readonly hedgeAfter?: number | undefined;
  readonly health?: HealthOptions | undefined;
  readonly s3?:
    | {
        readonly region?: string | undefined;
        readonly endpoint?: string | undefined;
        readonly pathStyle?: boolean | undefined;
        readonly accessKeyId?: string | undefined;
        readonly secretAccessKey?: string | undefined;
        readonly sessionToken?: string | undefined;
        readonly credentialsFile?: string | undefined;
        readonly credentials?: CredentialsProvider | undefined;
      }
    | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
        readonly verify: boolean;
      }
    | undefined;
}

/** What origins need from the process. */
export interface OriginsContext {
  readonly log: Log;
  readonly observer?: OriginObserver | undefined;
  /** This edge's id in a cluster, by which it knows requests that have come round to it. */
  readonly node?: string | undefined;
  /** Environment variables and home directory, for S3 credentials; default this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
}

/**
 * Milliseconds for which a file of a directory is taken to be unchanged: asking again costs next to nothing.
 */
const FILE_LIFETIME = 1000;

/** Routes that are remembered, in each of two generations. */
const KNOWN_ROUTES = 2048;

function pem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EdgeError('bad_config', `expected a PEM file at ${file}, but it can't be read (${code})`, { cause });
  }
}

/**
 * Makes the origin that an entry of the configuration describes.
 * @throws EdgeError `bad_config` when a directory, PEM file or credentials file is missing, or the urls don't fit
 *   together
 */
export function createOrigin(settings: OriginSettings, context: OriginsContext): ManagedOrigin {
  const { name, url, urls, s3 = {}, tls } = settings;
  const { log, observer, node, env = process.env, home = homedir() } = context;
  const places = (url === undefined ? urls : [{ url, weight: 1 }]).map(each => ({
    ...each,
    place: parseOrigin(each.url),
  }));
  const ofKind = <Kind extends OriginPlace['kind']>(kind: Kind) =>
    places.flatMap(({ place, weight }) =>
      place.kind === kind ? [{ ...(place as Extract<OriginPlace, { kind: Kind }>), weight }] : [],
    );
  const [files, servers, buckets] = [ofKind('file'), ofKind('http'), ofKind('s3')];
  if (places.length === 0 || Math.max(files.length, servers.length, buckets.length) < places.length) {
    throw new EdgeError('bad_config', `expected urls of one kind for the origin ${name}`);
  }
  if (files.length > 1) throw new EdgeError('bad_config', `expected one directory for the origin ${name}`);
  if (files.length === 1) return new FileOrigin({ name, directory: files[0]!.directory, observer });

  const options = {
    ...settings,
    hedgeAfter: settings.hedgeAfter,
    tls: {
      ca: pem(tls?.ca),
      cert: pem(tls?.cert),
      key: pem(tls?.key),
      servername: tls?.serverName,
      insecure: tls?.verify === false,
    },
    log,
    observer,
  };
  if (servers.length > 0) return new HttpOrigin({ ...options, servers, node });
  const { accessKeyId, secretAccessKey, sessionToken } = s3;
  const keys = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, sessionToken } : undefined;
  const { region, endpoint, pathStyle, credentialsFile: file, credentials: provider } = s3;
  return createS3Origin({
    ...options,
    buckets,
    region,
    endpoint,
    pathStyle,
    provider,
    credentials: { keys, file, env, home },
  });
}

/** Where an object comes from. */
export interface OriginRoute extends Pick<Address, 'path' | 'query'> {
  readonly origin: ManagedOrigin;
  /** Cache key. */
  readonly key: string;
  /** Names of the request fields that go on to the origin, in lower case. */
  readonly forward: readonly string[];
  /** Milliseconds for which an answer that says nothing of its freshness is fresh; undefined for the general rule. */
  readonly defaultLifetime: number | undefined;
  /** As in `Route`. */
  readonly freshness?: OriginRouteSettings['freshness'];
  readonly set?: Readonly<Record<string, string>> | undefined;
}

/** A rule with what it leads to. */
interface OriginRule extends RouteRule, AddressSettings {
  readonly origin: ManagedOrigin;
  readonly forward: readonly string[];
}

/** All origins of a configuration. */
export class Origins {
  readonly all: readonly ManagedOrigin[];
  readonly #table: OriginTable<OriginRule>;
  /** Routes by path, of requests without a query: players ask for range after range of a film. */
  readonly #known = new Remembered<OriginRoute>(KNOWN_ROUTES);

  /**
   * @param routes what differs by host and path
   * @throws EdgeError `bad_config`
   */
  constructor(
    settings: readonly OriginSettings[],
    context: OriginsContext,
    routes: readonly OriginRouteSettings[] = [],
  ) {
    // Two rules for one place are found before anything is opened.
    new OriginTable(settings, routes);
    this.all = settings.map(each => createOrigin(each, context));
    const rules = settings.map(({ name, host, path, stripPath, forward, url, urls, query }, index) => {
      const sent = context.node === undefined ? forward : [...forward, 'cdn-loop'];
      return { name, host, path, stripPath, url, urls, query, forward: sent, origin: this.all[index]! };
    });
    this.#table = new OriginTable(rules, routes);
  }

  /**
   * Finds the origin of a request by host (lower case, no port) and path, and what it is asked for; undefined when
   * there is none.
   */
  readonly route = (host: string, path: string, query: string): OriginRoute | undefined => {
    if (query !== '' || this.#table.namesHosts) return this.#route(host, path, query);
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const route = this.#route(host, path, query);
    if (route !== undefined) this.#known.set(path, route);
    return route;
  };

  #route(host: string, path: string, query: string): OriginRoute | undefined {
    const match = this.#table.find(host, path);
    if (!match) return undefined;
    const { addressing, overlay } = match;
    const { origin, forward } = match.rule;
    const defaultLifetime = origin instanceof FileOrigin ? FILE_LIFETIME : undefined;
    const { path: own, query: sent, keyQuery } = addressing.address(match.path, query);
    const key = objectKey(origin.name, own, keyQuery);
    const route = { origin, path: own, query: sent, key, forward, defaultLifetime };
    if (overlay === undefined) return route;
    const { freshness, set } = overlay;
    const silent = freshness?.default === undefined ? defaultLifetime : undefined;
    return { ...route, forward: [...forward, ...overlay.forward], defaultLifetime: silent, freshness, set };
  }

  /** Counters of all origins by name, for /stats. */
  stats(): Record<string, object> {
    return Object.fromEntries(this.all.map(({ name, stats }) => [name, { ...stats }]));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(origin => origin.close()));
  }
}

/** `Origins` as a function, for the composition root. */
export function createOrigins(
  settings: readonly OriginSettings[],
  context: OriginsContext,
  routes: readonly OriginRouteSettings[] = [],
): Origins {
  return new Origins(settings, context, routes);
}
