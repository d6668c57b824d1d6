import type { Log } from '../../base/log.js';
import { Replica, type ReplicaHealth } from '../../origin/http/replica.js';
import type { ClusterNode, ClusterState } from '../cluster-state.js';
import { Candidates, type PeerCandidate } from './candidates.js';
import { baseUrl, Peer, type PeerEvents } from './peer.js';
import type { HealthTimes } from './peer-health.js';
import type { PeerRefusal } from './signature.js';

/** This edge by its own port: whoever asks itself needs no advice. */
const WELL: ReplicaHealth = {
  state: () => 'closed',
  advises: () => true,
  enter() {},
  succeeded() {},
  failed() {},
  left() {},
};

/** Options of `PeerSet`. */
export interface PeerSetOptions {
  /** Whether a peer answers; see `PeerClient`. */
  readonly probe: (peer: Peer) => Promise<boolean>;
  readonly times: HealthTimes;
  /** Load of this edge. */
  readonly load: () => number;
  readonly log: Log;
}

/** The other edges of the cluster; what is known of one outlives changes of others. */
export class PeerSet implements PeerEvents {
  readonly #options: PeerSetOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #nodes = new Map<string, ClusterNode>();
  /** What was logged of peers that can't be worked with: once for each kind, until they can. */
  readonly #told = new Set<string>();
  #self: PeerCandidate | undefined;
  #selfId = '';

  constructor(options: PeerSetOptions) {
    this.#options = options;
  }

  get all(): Iterable<Peer> {
    return this.#peers.values();
  }

  /** Takes over another state. */
  update({ nodes, self }: ClusterState): void {
    this.#selfId = self;
    const kept = new Set<string>();
    for (const node of nodes) {
      kept.add(node.id);
      if (node.id === self) this.#self = selfAsCandidate(node);
      else this.#take(node);
    }
    for (const [id, peer] of this.#peers) if (!kept.has(id)) this.#drop(id, peer);
  }

  /** It answers. */
  isWell(id: string): boolean {
    return this.#peers.get(id)?.health.isWell === true;
  }

  /** Load of a peer, or of this edge; undefined when it is not known. */
  load(id: string): number | undefined {
    return id === this.#selfId ? this.#options.load() : this.#peers.get(id)?.load(performance.now());
  }

  /**
   * The servers of a fetch.
   * @param withSelf whether this edge goes on, by its own port, where peers have stopped
   * @returns undefined when none of the nodes is a peer
   */
  candidates(nodes: readonly ClusterNode[], withSelf: boolean): Candidates | undefined {
    const peers = nodes.flatMap(({ id }) => this.#peers.get(id) ?? []);
    return peers.length === 0 ? undefined : new Candidates(peers, withSelf ? this.#self : undefined);
  }

  /** A peer has been sent bytes. */
  sent(id: string, bytes: number): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.stats.sentBytes += bytes;
  }

  health(peer: Peer, isWell: boolean, why: string): void {
    const { log } = this.#options;
    if (isWell) {
      for (const key of this.#told) if (key.startsWith(`${peer.id} `)) this.#told.delete(key);
      log.info({ peer: peer.id }, 'a peer is back');
    } else log.warn({ peer: peer.id, why }, 'a peer is left out');
  }

  unfit(peer: Peer, why: PeerRefusal | 'refused', detail: string): void {
    const key = `${peer.id} ${why}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.log.warn({ peer: peer.id, why, detail }, 'what answers in place of a peer can not be worked with');
  }

  close(): void {
    for (const [id, peer] of this.#peers) this.#drop(id, peer);
  }

  #take(node: ClusterNode): void {
    const before = this.#nodes.get(node.id);
    const known = this.#peers.get(node.id);
    this.#nodes.set(node.id, node);
    if (known !== undefined && before?.host === node.host && before.port === node.port) {
      if (before.state === 'away' && node.state !== 'away') known.health.forgive();
      return;
    }
    if (known !== undefined) known.health.close();
    const { probe, times } = this.#options;
    this.#peers.set(node.id, new Peer(node, probe, times, this));
  }

  #drop(id: string, peer: Peer): void {
    peer.health.close();
    this.#peers.delete(id);
    this.#nodes.delete(id);
  }
}

function selfAsCandidate({ id, host, port }: ClusterNode): PeerCandidate {
  const replica = new Replica({ url: baseUrl(host, port), weight: 1 }, WELL);
  return { id, replica, isAlive: async () => true, answered() {}, refused() {} };
}
