import type { SecureContext } from 'node:tls';
import { PEER_FIELD } from '../../base/peer-fields.js';
import { isPlainPath } from '../../origin/http/dialect.js';
import { FetchQueue } from '../../origin/http/fetch-queue.js';
import { type FetchContext, HttpFetch } from '../../origin/http/http-fetch.js';
import { Redirects } from '../../origin/http/redirects.js';
import type { ServerChoice } from '../../origin/http/replica.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../../origin/origin.js';
import type { OriginStats } from '../../origin/origin-stats.js';
import { refusal } from '../../origin/refusal.js';
import { Lines } from './line/lines.js';
import type { Peer } from './peer.js';
import { PeerDialect, type PeerErrand } from './peer-dialect.js';
import { Relay, type RelayErrand } from './relay.js';
import type { PeerClaim, PeerSignature } from './signature.js';

/** Milliseconds for a connection, for the head of an answer, within a body, and for the answer to a probe. */
export interface PeerTimeouts {
  readonly connect: number;
  readonly firstByte: number;
  readonly stall: number;
  readonly probe: number;
}

/** A peer that is silent for half a second is probed, and given up when it has not answered that a second later. */
export const PEER_TIMEOUTS: PeerTimeouts = { connect: 300, firstByte: 500, stall: 1000, probe: 1000 };

/** A player's request, to be answered by a peer. */
export interface RelayedRequest {
  readonly method: 'GET' | 'HEAD';
  /** Path and query. */
  readonly target: string;
  /** Host field of the player's request. */
  readonly host: string;
  /** Revision of the map at hand. */
  readonly epoch: number;
  /** Names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Options of `PeerClient`. */
export interface PeerClientOptions {
  /** Id of this edge. */
  readonly self: string;
  readonly signature: PeerSignature;
  /** What connections are secured with; plain when undefined. */
  readonly tls: SecureContext | undefined;
  /** Most connections to one peer, and fetches under way from all. */
  readonly maxConnections: number;
  readonly maxFetches: number;
  readonly timeouts: PeerTimeouts;
}

/** Milliseconds that an unused connection is kept. */
const KEEP_ALIVE = 10_000;
/** Milliseconds before a second try with the same peer. */
const BACKOFF = 50;
/** Milliseconds between two looks at answers on their way. */
const LOOK = 100;

/**
 * Asks peers, as origins are asked: fetches go on at the byte with the next peer on the condition that the version is
 * the same, and everything that comes is checked.
 */
export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #client: Lines;
  /** Probes have connections of their own, so that they never wait behind films. */
  readonly #probes: Lines;
  readonly #queue: FetchQueue;
  readonly #fetches = new Set<HttpFetch>();
  readonly #relays = new Set<Relay>();
  readonly #timer: NodeJS.Timeout;
  readonly stats: OriginStats;

  constructor(options: PeerClientOptions) {
    const { maxConnections, maxFetches, timeouts, tls } = options;
    const queue = new FetchQueue(maxFetches, maxFetches);
    const http = { connectTimeout: timeouts.connect, keepAlive: KEEP_ALIVE, tls };
    this.#options = options;
    this.#queue = queue;
    this.#client = new Lines({ ...http, connections: maxConnections });
    this.#probes = new Lines({ ...http, connections: 1 });
    this.#timer = setInterval(() => this.#look(), LOOK).unref();
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

  /** Asks one peer for what a player wants; of the sink nothing is called from within. */
  relay(request: RelayedRequest, errand: Omit<RelayErrand, 'isHead' | 'range' | 'vouched' | 'ended'>): Relay {
    const { self, signature } = this.#options;
    const { method, target, host, epoch, fields } = request;
    const { id, replica } = errand.candidate;
    const claim: Omit<PeerClaim, 'nonce' | 'signature'> = {
      from: self,
      to: id,
      mark: 'hop',
      epoch,
      time: Date.now(),
      host,
    };
    const signed = signature.request(claim, { method, target, field: name => fields[name] ?? '' });
    const relay = new Relay({
      ...errand,
      isHead: method === 'HEAD',
      range: fields.range,
      vouched: (value, status) => signature.checkAnswer(value, status, signed.signature),
      ended: over => this.#relays.delete(over),
    });
    this.#relays.add(relay);
    relay.exchange = this.#client.ask(
      method,
      replica.base.origin,
      target,
      { ...fields, [PEER_FIELD]: signed.value },
      relay,
    );
    return relay;
  }

  #look(): void {
    const now = performance.now();
    for (const relay of this.#relays) relay.look(now, this.#options.timeouts);
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
          failed: (kind, cause) => {
            if (kind === 'tls') peer.refused('certificate', cause.message);
            settle(false);
          },
        },
      );
      const timer = setTimeout(() => {
        exchange.cancel();
        settle(false);
      }, timeouts.probe);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const fetch of [...this.#fetches]) fetch.shutDown();
    await Promise.all([this.#client.close(), this.#probes.close()]);
  }
}
