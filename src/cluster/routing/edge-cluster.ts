import { createSecureContext } from 'node:tls';
import type { Log } from '../../base/log.js';
import type { PassingContext } from '../../catalog/lookup.js';
import type { Router } from '../../catalog/route.js';
import type { ClusterState } from '../cluster-state.js';
import { partitionOf } from '../map/partition-of.js';
import { FillOrigin } from '../peer/fill-origin.js';
import { PEER_TIMEOUTS, PeerClient, type PeerTimeouts } from '../peer/peer-client.js';
import { PeerGate } from '../peer/peer-gate.js';
import { HEALTH_TIMES, type HealthTimes } from '../peer/peer-health.js';
import { PeerOrigin } from '../peer/peer-origin.js';
import { PeerSet } from '../peer/peer-set.js';
import { ReplayGuard } from '../peer/replay-guard.js';
import { PeerSignature } from '../peer/signature.js';
import { ClusterRouting } from './cluster-routing.js';
import { HotCopies, HotFilms } from './hot-films.js';
import { LoadMeter } from './load-meter.js';
import { Placement } from './placement.js';
import { Relief } from './relief.js';

/** What a worker needs to take part in a cluster. */
export interface EdgeClusterOptions {
  /** Id of this edge. */
  readonly self: string;
  /** Needed without `tls`. */
  readonly secret: string | undefined;
  /** PEM texts with which edges speak TLS and know one another: their authority, and this edge's own. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  readonly routing: 'proxy' | 'redirect';
  /** Share of the viewers, 0 to 1, that go to each replica, and where a replica has its bytes from. */
  readonly warmUp: { readonly share: readonly number[]; readonly from: 'owner' | 'origin' };
  readonly overload: number;
  /** Folder for files that the workers of this edge share; best where no disk is. */
  readonly folder: string;
  /** Workers of this edge. */
  readonly workers: number;
  /** Bytes of the edge's cache. */
  readonly capacity: number;
  /** Bytes that this worker has sent to players and peers. */
  readonly sent: () => number;
  readonly log: Log;
  readonly timeouts?: PeerTimeouts;
  readonly times?: HealthTimes;
  /** Milliseconds in which requests for films are counted together, and between two looks at what was sent. */
  readonly pace?: { readonly window: number; readonly interval: number };
}

/** Most connections of a worker to one peer: each film that a player reads by way of this edge takes one. */
export const PEER_CONNECTIONS = 1024;
const FETCHES = 8192;

/** A worker's part in the cluster: who answers what, what peers are asked, and what they may ask. */
export class EdgeCluster {
  readonly peers: PeerSet;
  /** Lets peers in. */
  readonly gate: PeerGate;
  readonly #options: EdgeClusterOptions;
  readonly #client: PeerClient;
  readonly #replays: ReplayGuard;
  readonly #meter: LoadMeter;
  readonly #hot: HotFilms;
  readonly #copies: HotCopies;
  readonly #relief = new Relief();
  #placement: Placement;

  /** @throws Error of the file system */
  constructor(options: EdgeClusterOptions) {
    const { self, secret, tls: pem, folder, workers, log, timeouts = PEER_TIMEOUTS, times = HEALTH_TIMES } = options;
    const signature = new PeerSignature(secret);
    const load = () => this.#meter.load(this.#placement.self?.weight ?? 1);
    this.#options = options;
    this.#meter = new LoadMeter(options.sent, workers, options.pace?.interval);
    const tls = pem && createSecureContext(pem);
    const bounds = { maxConnections: PEER_CONNECTIONS, maxFetches: FETCHES, timeouts };
    this.#client = new PeerClient({ self, signature, tls, ...bounds });
    const probe = (peer: Parameters<PeerClient['probe']>[0]) => this.#client.probe(peer, this.#placement.state.epoch);
    this.peers = new PeerSet({ probe, times, load, log });
    this.#placement = this.#place(alone(self));
    this.#hot = new HotFilms(
      { ratio: () => this.#placement.fairRatio(), others: () => this.#placement.othersUp() },
      options.pace?.window,
    );
    this.#copies = new HotCopies(options.capacity);
    this.#replays = new ReplayGuard(folder);
    this.gate = new PeerGate({
      signature,
      replays: this.#replays,
      self,
      load,
      asked: path => {
        const now = performance.now();
        this.#hot.count(path, now);
        return this.#hot.of(path, now);
      },
      owns: path => {
        const { partitions } = this.#placement;
        return partitions === 0 || this.#placement.owns(partitionOf(path, partitions));
      },
      sent: (peer, bytes) => this.peers.sent(peer, bytes),
      log,
    });
  }

  /** Takes over another state of the cluster. */
  update(state: ClusterState): void {
    this.peers.update(state);
    this.#placement = this.#place(state);
  }

  /** Has other edges answer what is theirs. */
  routing(passing: PassingContext): ClusterRouting {
    return new ClusterRouting({
      mode: this.#options.routing,
      placement: () => this.#placement,
      peers: this.peers,
      client: this.#client,
      passing,
      hot: this.#hot,
      copies: this.#copies,
      warmUp: this.#options.warmUp.share,
      workers: this.#options.workers,
    });
  }

  /** The same routes, but that bytes of objects come from the peers that should have them, before the storage. */
  filling(route: Router): Router {
    return (host, path, query) => {
      const found = route(host, path, query);
      if (found === undefined) return undefined;
      const origin = new FillOrigin(found.origin, {
        peers: () => this.#fillFrom(found.origin.name, host, path, query),
      });
      return { ...found, origin };
    };
  }

  async close(): Promise<void> {
    this.#meter.close();
    this.peers.close();
    this.#replays.close();
    await this.#client.close();
  }

  #fillFrom(name: string, host: string, path: string, query: string) {
    const place = this.#placement;
    if (place.partitions === 0) return undefined;
    const partition = partitionOf(path, place.partitions);
    if (this.#options.warmUp.from === 'origin' && !place.owns(partition)) return undefined;
    const sources = place.fillSources(partition);
    const candidates = this.peers.candidates(sources.nodes, false);
    if (candidates === undefined) return undefined;
    const { epoch } = place.state;
    const mark = sources.cachedOnly ? 'cached' : 'fill';
    return { origin: new PeerOrigin(this.#client, candidates, { name, mark, host, epoch }), path, query };
  }

  #place(state: ClusterState): Placement {
    const { warmUp, overload } = this.#options;
    return new Placement(state, { warmUp: warmUp.share, overload }, this.peers, this.#relief);
  }
}

/** Before anything is known of others, an edge has everything itself. */
function alone(self: string): ClusterState {
  return { epoch: 0, self, nodes: [], map: [], previousOwners: [], otherZones: [] };
}
