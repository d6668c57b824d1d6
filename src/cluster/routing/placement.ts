import type { ClusterNode, ClusterState } from '../cluster-state.js';
import { Relief } from './relief.js';

/** Bytes a second that edges send on average below which none is overloaded: what is small is never even. */
const BUSY = 8 * 1024 * 1024;

/** What decides beside the map. */
export interface PlacementOptions {
  /** Share of the viewers, 0 to 1, that go to the first, the second … replica, to keep it warm. */
  readonly warmUp: readonly number[];
  /** Most load of an edge, as a multiple of the mean. */
  readonly overload: number;
}

/** How edges fare, as this worker sees them. */
export interface NodeView {
  /** It answers. */
  isWell(id: string): boolean;
  /** Its load, see `LoadMeter`; undefined when it is not known. */
  load(id: string): number | undefined;
}

/** Which edges a request may be answered by. */
export interface Serving {
  /** In the order in which they are to be asked; empty when none is known. */
  readonly nodes: readonly ClusterNode[];
  /** Why the first is first. */
  readonly reason: 'owner' | 'replica' | 'warmUp' | 'overflow' | 'ramp' | 'hot';
}

/** Edges to have the bytes of an object from, before the storage is asked. */
export interface FillSources {
  /** In the order in which they are asked; none for most. */
  readonly nodes: readonly ClusterNode[];
  /** They are asked for what they have, and fetch nothing. */
  readonly cachedOnly: boolean;
}

/**
 * Who answers what, by one state of the cluster: pure decisions. The map says who should; health, load and ramps are
 * looked at as they are at the moment.
 */
export class Placement {
  readonly state: ClusterState;
  readonly self: ClusterNode | undefined;
  readonly #options: PlacementOptions;
  readonly #view: NodeView;
  readonly #isMapped: boolean;
  readonly #relief: Relief;

  /** @param relief outlives states */
  constructor(state: ClusterState, options: PlacementOptions, view: NodeView, relief = new Relief()) {
    this.state = state;
    this.#relief = relief;
    this.#options = options;
    this.#view = view;
    this.self = state.nodes.find(({ id }) => id === state.self);
    this.#isMapped = state.map.length > 0 && state.nodes.length > 1;
  }

  /** Number of partitions; 0 where there is nobody to share with. */
  get partitions(): number {
    return this.#isMapped ? this.state.map.length : 0;
  }

  /** True when the map says that this edge owns the partition. */
  owns(partition: number): boolean {
    return this.#node(this.state.map[partition]?.[0]) === this.self;
  }

  /**
   * Who answers.
   * @param film number of 0 to 1 that is the film's
   * @param viewer number of 0 to 1 that is the viewer's of this film
   * @param copies edges beside the owner that should have the film, because many watch it
   * @param warmth what the shares of viewers who warm replicas are multiplied by for this film
   */
  serving(partition: number, film: number, viewer: number, copies = 0, warmth = 1): Serving {
    const listed = this.#listed(partition);
    const usable = listed.filter(node => this.#mayServe(node));
    const owner = listed[0];
    if (owner !== undefined && owner.share < 1 && film >= owner.share) {
      const before = this.#node(this.state.previousOwners[partition]);
      if (before !== undefined && this.#mayServe(before)) return first(before, usable, 'ramp');
    }
    if (copies > 0) return this.#spread(partition, usable, viewer, copies);
    const warm = listed.every(({ share }) => share >= 1) ? this.#warmed(listed, viewer, warmth) : undefined;
    if (warm !== undefined && this.#mayServe(warm)) return first(warm, usable, 'warmUp');
    // Another part of the viewer's number, so that those who warm replicas are not those who overflow.
    return this.#bounded(usable, (viewer * 4096) % 1, usable[0] === owner ? 'owner' : 'replica');
  }

  /**
   * Who is asked before the storage for bytes that this edge serves: the owner, and while that is away the replicas,
   * some of which are warm; and by the owner who had the partition before, and who has it in other zones.
   */
  fillSources(partition: number): FillSources {
    const { state, self } = this;
    const isReachable = (node: ClusterNode) => node !== self && node.state !== 'away' && this.#view.isWell(node.id);
    const [owner, ...replicas] = this.#listed(partition);
    if (owner !== undefined && owner !== self) {
      if (isReachable(owner)) return { nodes: [owner], cachedOnly: false };
      return { nodes: replicas.filter(isReachable), cachedOnly: true };
    }
    const others = [state.previousOwners[partition], ...state.otherZones.map(zone => zone[partition])];
    return { nodes: others.flatMap(index => this.#node(index) ?? []).filter(isReachable), cachedOnly: true };
  }

  /** Edges of the zone that take players. */
  get entries(): number {
    return this.state.nodes.filter(node => node.zone === this.self?.zone && node.state === 'up').length;
  }

  /** What this edge's load would be if all had the same, as a multiple of what it is; 1 when that is not known. */
  fairRatio(): number {
    const own = this.self === undefined ? 0 : (this.#view.load(this.self.id) ?? 0);
    const mean = this.#meanLoad();
    return own > BUSY && mean > 0 ? mean / own : 1;
  }

  /** Other edges of the zone that films of this one may be spread over; none while it has little to do. */
  othersUp(): number {
    const { self } = this;
    if (self === undefined || (this.#view.load(self.id) ?? 0) < BUSY) return 0;
    return this.#others(0, [self]).length;
  }

  #node(index: number | undefined): ClusterNode | undefined {
    return index === undefined ? undefined : this.state.nodes[index];
  }

  #listed(partition: number): ClusterNode[] {
    return (this.state.map[partition] ?? []).flatMap(index => this.#node(index) ?? []);
  }

  #mayServe(node: ClusterNode): boolean {
    return node.state === 'up' && (node === this.self || this.#view.isWell(node.id));
  }

  /** The replica that a viewer keeps warm; undefined for most. */
  #warmed(listed: readonly ClusterNode[], viewer: number, warmth: number): ClusterNode | undefined {
    let below = 0;
    for (const [at, share] of this.#options.warmUp.entries()) {
      below += share * warmth;
      if (viewer < below) return listed[at + 1];
    }
    return undefined;
  }

  /** The viewers of a film that many watch, evenly over its owner and so many others. */
  #spread(partition: number, usable: readonly ClusterNode[], viewer: number, copies: number): Serving {
    const all = [...usable, ...this.#others(partition, usable)].slice(0, copies + 1);
    const chosen = all[Math.floor(viewer * all.length)];
    return chosen === undefined ? { nodes: [], reason: 'hot' } : first(chosen, usable, 'hot');
  }

  /** The other edges of the zone, in an order that differs from partition to partition. */
  #others(partition: number, listed: readonly ClusterNode[]): ClusterNode[] {
    const { nodes } = this.state;
    const zone = this.self?.zone;
    return nodes
      .map((_, at) => nodes[(at + partition) % nodes.length]!)
      .filter(node => node.zone === zone && !listed.includes(node) && this.#mayServe(node));
  }

  /** Lets what goes beyond the bound of the first's load go to the next that has room. */
  #bounded(usable: readonly ClusterNode[], viewer: number, reason: Serving['reason']): Serving {
    const owner = usable[0];
    const bound = this.#options.overload * this.#meanLoad();
    if (owner === undefined || bound < BUSY) return { nodes: usable, reason };
    const kept = this.#relief.share(owner.id, this.#view.load(owner.id) ?? 0, bound, performance.now());
    if (viewer >= 1 - kept) return { nodes: usable, reason };
    const hasRoom = (node: ClusterNode) => (this.#view.load(node.id) ?? 0) < bound;
    const other = usable.slice(1).find(hasRoom) ?? this.#others(0, usable).find(hasRoom);
    return other === undefined ? { nodes: usable, reason } : first(other, usable, 'overflow');
  }

  /** Mean of the loads that are known, of the edges that may serve. */
  #meanLoad(): number {
    let sum = 0;
    let count = 0;
    for (const node of this.state.nodes) {
      if (node.zone !== this.self?.zone || !this.#mayServe(node)) continue;
      const load = this.#view.load(node.id);
      if (load === undefined) continue;
      sum += load;
      count++;
    }
    return count < 2 ? 0 : sum / count;
  }
}

function first(node: ClusterNode, others: readonly ClusterNode[], reason: Serving['reason']): Serving {
  return { nodes: [node, ...others.filter(other => other !== node)], reason };
}
