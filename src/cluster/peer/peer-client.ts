import { PEER_FIELD } from '../../base/peer-fields.js';
import { isPlainPath } from '../../origin/http/dialect.js';
import { FetchQueue } from '../../origin/http/fetch-queue.js';
import { type FetchContext, HttpFetch } from '../../origin/http/http-fetch.js';
import { Redirects } from '../../origin/http/redirects.js';
import type { ServerChoice } from '../../origin/http/replica.js';
import { HttpClient } from '../../origin/http/undici-client.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../../origin/origin.js';
import type { OriginStats } from '../../origin/origin-stats.js';
import { refusal } from '../../origin/refusal.js';
import type { Peer } from './peer.js';
import { PeerDialect, type PeerErrand } from './peer-dialect.js';
import type { PeerSignature } from './signature.js';

/** Milliseconds for a connection, for the head of an answer, within a body, and for the answer to a probe. */
export interface PeerTimeouts {
  readonly connect: number;
  readonly firstByte: number;
  readonly stall: number;
  readonly probe: number;
}

/** A peer that is silent for a second is probed, and given up when a second later it has not answered that either. */
export const PEER_TIMEOUTS: PeerTimeouts = { connect: 300, firstByte: 1000, stall: 1000, probe: 1000 };

/** Options of `PeerClient`. */
export interface PeerClientOptions {
  /** Id of this edge. */
  readonly self: string;
  readonly signature: PeerSignature;
  /** Most connections to one peer, and fetches under way from all. */
  readonly maxConnections: number;
  readonly maxFetches: number;
  readonly timeouts: PeerTimeouts;
}

/** Milliseconds that an unused connection is kept. */
const KEEP_ALIVE = 10_000;
const HEAD_MAX = 64 * 1024;
/** Milliseconds before a second try with the same peer. */
const BACKOFF = 50;

/**
 * Asks peers, as origins are asked: fetches go on at the byte with the next peer on the condition that the version is
 * the same, and everything that comes is checked.
 */
export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #client: HttpClient;
  /** Probes have connections of their own, so that they never wait behind films. */
  readonly #probes: HttpClient;
  readonly #queue: FetchQueue;
  readonly #fetches = new Set<HttpFetch>();
  readonly stats: OriginStats;

  constructor(options: PeerClientOptions) {
    const { maxConnections, maxFetches, timeouts } = options;
    const queue = new FetchQueue(maxFetches, maxFetches);
    const http = { connectTimeout: timeouts.connect, keepAlive: KEEP_ALIVE, maxHeaderSize: HEAD_MAX, tls: {} };
    this.#options = options;
    this.#queue = queue;
    this.#client = new HttpClient({ ...http, connections: maxConnections });
    this.#probes = new HttpClient({ ...http, connections: 1 });
    this.stats = {
      requests: {},
      responseBytes: 0,
      retries: 0,
      hedges: 0,
      overloads: 0,
      yields: 0,
      get active() {
        return queue.active;
      },
      get queued() {
        return queue.waiting;
      },
      replicas: [],
    };
  }

  /** Starts a fetch; the sink is not called from within. */
  fetch(choice: ServerChoice, errand: PeerErrand, request: OriginRequest, sink: OriginSink): OriginFetch {
    const { timeouts } = this.#options;
    const { path, query, fields } = request;
    if (!isPlainPath(path)) {
      const timer = setImmediate(() =>
        sink.failed(refusal('not_found', 'no object can have that name', 'never').error),
      );
      return { pause() {}, resume() {}, cancel: () => clearImmediate(timer) };
    }
    const context: FetchContext = {
      name: 'peers',
      client: this.#client,
      dialect: new PeerDialect(this.#options.self, this.#options.signature, errand),
      timeouts,
      redirects: new Redirects([], { mode: 'pass', hosts: [], max: 0 }),
      fields: {},
      servername: undefined,
      stats: this.stats,
      observer: undefined,
      isAlive: replica => errand.peerAt(replica.base.origin)?.isAlive() ?? Promise.resolve(true),
      replicas: choice,
      queue: this.#queue,
      // Each peer once, and one of them again whose idle connection turned out to be closed.
      retries: choice.all.length + 1,
      backoff: BACKOFF,
      hedgeAfter: 0,
      ended: fetch => this.#fetches.delete(fetch),
    };
    const fetch = new HttpFetch(context, request, { path, query, fields }, sink);
    this.#fetches.add(fetch);
    fetch.start();
    return fetch;
  }

  /** Whether a peer answers; never rejects. */
  probe(peer: Peer, epoch: number): Promise<boolean> {
    const { self, signature, timeouts } = this.#options;
    const { origin } = peer.replica.base;
    const claim = { from: self, to: peer.id, mark: 'probe', epoch, time: Date.now(), host: '' } as const;
    const signed = signature.request(claim, { method: 'GET', target: '/', field: () => '' });
    return new Promise(resolve => {
      const settle = (isAlive: boolean) => {
        clearTimeout(timer);
        resolve(isAlive);
      };
      const exchange = this.#probes.send(
        origin,
        '/',
        { [PEER_FIELD]: signed.value },
        {
          sent() {},
          answered: (status, fields) => {
            const value = fields[PEER_FIELD];
            const found = signature.checkAnswer(typeof value === 'string' ? value : '', status, signed.signature);
            if (typeof found === 'string') peer.refused(found, `status ${status}`);
            else peer.heard(found, performance.now());
            settle(typeof found !== 'string');
          },
          bytes() {},
          ended() {},
          failed: () => settle(false),
        },
      );
      const timer = setTimeout(() => {
        exchange.cancel();
        settle(false);
      }, timeouts.probe);
    });
  }

  async close(): Promise<void> {
    for (const fetch of [...this.#fetches]) fetch.shutDown();
    await Promise.all([this.#client.close(), this.#probes.close()]);
  }
}
