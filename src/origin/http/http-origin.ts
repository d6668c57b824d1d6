import type { Log } from '../../base/log.js';
import type { Fields } from '../fields.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../origin.js';
import { type ManagedOrigin, type OriginObserver, type OriginStats, originStats } from '../origin-stats.js';
import { refusal } from '../refusal.js';
import type { BreakerOptions } from './breaker.js';
import { type Dialect, isPlainPath } from './dialect.js';
import { FetchQueue } from './fetch-queue.js';
import { HealthChecks, type HealthOptions } from './health-checks.js';
import type { Timeouts } from './http-attempt.js';
import { type FetchContext, HttpFetch } from './http-fetch.js';
import { Redirects, type RedirectsOptions } from './redirects.js';
import { type Replica, Replicas, type ReplicasOptions } from './replica.js';
import { HttpClient, type TlsOptions } from './undici-client.js';

/** Options of `HttpOrigin`. Limits hold per process. */
export interface HttpOriginOptions extends Pick<ReplicasOptions, 'servers' | 'balance'> {
  readonly name: string;
  readonly timeouts: Timeouts;
  /** Further tries of a fetch in which none brings a block. */
  readonly retries: number;
  /** Most connections to one server. */
  readonly maxConnections: number;
  /** Most fetches at once; there are never more than connections allow. */
  readonly maxFetches: number;
  /** Most fetches that wait for their turn, each for no longer than `timeouts.firstByte`. */
  readonly queue: number;
  /**
   * Milliseconds after which a silent server is overtaken by another, or asked again if it is the only one; undefined
   * for never.
   */
  readonly hedgeAfter: number | undefined;
  readonly redirects: RedirectsOptions;
  /** Fields added to each request to the servers' own hosts. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name of this edge in CDN-Loop (RFC 8586); left out, that goes on as it came. */
  readonly node?: string | undefined;
  readonly tls: TlsOptions & {
    /** Name that the servers' certificates must bear; undefined for the host of their URL. */
    readonly servername?: string | undefined;
  };
  /** What an answer of 429 or 503 with Retry-After holds back. */
  readonly retryAfter: ReplicasOptions['retryAfter'];
  /** A cache that is asked before the servers, which are asked when it fails. */
  readonly shield?: string | undefined;
  /** How servers are checked; left out, only by the requests that are made anyway. */
  readonly health?: HealthOptions | undefined;
  readonly dialect?: Dialect | undefined;
  readonly breaker?: BreakerOptions | undefined;
  /** Milliseconds before a second try on the same server; doubled for each further one. */
  readonly backoff?: number | undefined;
  readonly log: Log;
  readonly observer?: OriginObserver | undefined;
}

/** Milliseconds that an idle connection is kept when the server doesn't say. */
const KEEP_ALIVE = 10_000;
/** Bytes of an answer's head. */
const HEAD_MAX = 32 * 1024;
const BACKOFF = 100;
const BREAKER: BreakerOptions = { failures: 5, cooldown: 1_000, maxCooldown: 30_000 };

/** Plain HTTP: the object's name is its path, its query is the player's. */
const PLAIN: Dialect = {
  locate: ({ path, query, fields }) => (isPlainPath(path) ? { path, query, fields } : undefined),
};

/** Objects of one or several HTTP servers that hold the same. */
export class HttpOrigin implements ManagedOrigin {
  readonly name: string;
  readonly stats: OriginStats;
  readonly #context: FetchContext;
  readonly #fetches = new Set<HttpFetch>();
  readonly #checks: HealthChecks | undefined;
  #closed = false;

  constructor(options: HttpOriginOptions) {
    const { name, timeouts, maxConnections, maxFetches, queue: length, breaker = BREAKER, log } = options;
    // Servers that are tried in order have the connections of one.
    const connections = maxConnections * (options.balance === 'weighted' ? options.servers.length : 1);
    const shields = options.shield === undefined ? [] : [{ url: options.shield, weight: 1, isShield: true }];
    const servers = [...shields, ...options.servers];
    const queue = new FetchQueue(Math.min(maxFetches, connections), length);
    const replicas = new Replicas({ ...options, servers, connections: maxConnections, breaker });
    const stats = originStats({
      get active() {
        return queue.active;
      },
      get queued() {
        return queue.waiting;
      },
      get replicas() {
        const now = performance.now();
        return replicas.all.map(replica => replica.stats(now));
      },
    });
    this.name = name;
    this.stats = stats;
    this.#context = {
      name,
      client: new HttpClient({
        connections: maxConnections,
        connectTimeout: timeouts.connect,
        keepAlive: KEEP_ALIVE,
        maxHeaderSize: HEAD_MAX,
        tls: options.tls,
      }),
      dialect: options.dialect ?? PLAIN,
      timeouts,
      redirects: new Redirects(
        replicas.all.map(({ base }) => base),
        // Those of a store are about its servers and what requests to them are signed for.
        options.dialect === undefined ? options.redirects : { ...options.redirects, mode: 'follow' },
      ),
      fields: lowerCase(options.headers),
      node: options.node,
      servername: options.tls.servername,
      stats,
      observer: options.observer,
      replicas,
      queue,
      retries: options.retries,
      backoff: options.backoff ?? BACKOFF,
      hedgeAfter: options.hedgeAfter ?? 0,
      ended: fetch => this.#fetches.delete(fetch),
    };
    const { client, fields, servername } = this.#context;
    this.#checks =
      options.health &&
      new HealthChecks(replicas.all, options.health, {
        ...{ client, fields, servername, log },
        answered: server => (server as Replica).breaker.succeeded(),
      });
    if (replicas.all.some(({ base }) => base.protocol === 'https:') && options.tls.insecure) {
      log.warn({ origin: name }, "the certificates of the origin's servers are not checked");
    }
  }

  fetch(request: OriginRequest, sink: OriginSink): OriginFetch {
    const location = this.#context.dialect.locate(request);
    if (this.#closed || !location) {
      const why = this.#closed
        ? refusal('origin_unavailable', 'the edge is closing its origin', 'never')
        : refusal('not_found', 'no object can have that name', 'never');
      const timer = setImmediate(() => sink.failed(why.error));
      return { pause() {}, resume() {}, cancel: () => clearImmediate(timer) };
    }
    const fetch = new HttpFetch(this.#context, request, location, sink);
    this.#fetches.add(fetch);
    fetch.start();
    return fetch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#checks?.close();
    for (const fetch of [...this.#fetches]) fetch.shutDown();
    await this.#context.client.close();
  }
}

function lowerCase(fields: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
}
