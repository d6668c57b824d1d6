import { Replica } from '../../origin/http/replica.js';
import type { ClusterNode } from '../cluster-state.js';
import type { PeerCandidate } from './candidates.js';
import { type HealthTimes, PeerHealth } from './peer-health.js';
import type { PeerRefusal, PeerVoucher } from './signature.js';

/** Milliseconds for which what a peer has said of its load is taken for true. */
const LOAD_LIFETIME = 10_000;
/** Share of a new figure in the load: each comes from one of the peer's workers. */
const LOAD_WEIGHT = 0.3;

/** Counters of what was sent to one peer. */
export interface PeerStats {
  /** Requests by how they ended: `answered`, `refused` (not as a peer that can be worked with), `failed`. */
  readonly requests: { answered: number; refused: number; failed: number };
  /** Bytes of bodies sent to it. */
  sentBytes: number;
}

/** Told of what changes with peers. */
export interface PeerEvents {
  /** It is left out, or not any more. */
  health(peer: Peer, isWell: boolean, why: string): void;
  /** What answers there is no peer that can be worked with. */
  unfit(peer: Peer, why: PeerRefusal | 'refused', detail: string): void;
}

/** Another edge of the cluster, as a worker knows it. */
export class Peer implements PeerCandidate {
  readonly id: string;
  /** The peer as a server of objects. */
  readonly replica: Replica;
  readonly health: PeerHealth;
  readonly stats: PeerStats = { requests: { answered: 0, refused: 0, failed: 0 }, sentBytes: 0 };
  readonly #events: PeerEvents;
  #load = 0;
  #loadTime = Number.NEGATIVE_INFINITY;

  /** @param probe see `PeerHealth` */
  constructor(
    { id, host, port }: Pick<ClusterNode, 'id' | 'host' | 'port'>,
    probe: (peer: Peer) => Promise<boolean>,
    times: HealthTimes,
    events: PeerEvents,
  ) {
    this.id = id;
    this.#events = events;
    this.health = new PeerHealth(
      () => probe(this),
      times,
      (isWell, why) => {
        if (!isWell) this.stats.requests.failed++;
        events.health(this, isWell, why);
      },
    );
    this.replica = new Replica({ url: baseUrl(host, port), weight: 1 }, this.health);
  }

  /** Whether it answers a probe; never rejects. */
  isAlive(): Promise<boolean> {
    return this.health.isAlive();
  }

  /** It has answered a request as a peer. */
  answered(voucher: PeerVoucher): void {
    this.stats.requests.answered++;
    this.heard(voucher, performance.now());
  }

  /** It has said how it is. */
  heard({ load }: PeerVoucher, now: number): void {
    const isOld = now - this.#loadTime > LOAD_LIFETIME;
    this.#load = isOld ? load : this.#load + LOAD_WEIGHT * (load - this.#load);
    this.#loadTime = now;
  }

  /** What answered is none that can be worked with. */
  refused(why: PeerRefusal | 'refused', detail: string): void {
    this.stats.requests.refused++;
    this.health.unfit(why);
    this.#events.unfit(this, why, detail);
  }

  /** What it last said of its load; undefined when that is too long ago. */
  load(now: number): number | undefined {
    return now - this.#loadTime > LOAD_LIFETIME ? undefined : this.#load;
  }
}

/** Where a peer is asked. */
export function baseUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
