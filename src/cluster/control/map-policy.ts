import type { MapNode, MapRecord, ZoneMap } from '../map/map-record.js';
import { planMap } from '../map/plan.js';
import type { Member } from './member.js';

/** Times of the policy, in milliseconds, and the shape of maps. */
export interface PolicyOptions {
  readonly partitions: number;
  readonly replicas: number;
  /** How long a node may be away before it loses its films. */
  readonly holdDown: number;
  /** How long a node must be there without a break, or its weight unchanged, before it counts. */
  readonly settle: number;
}

/** What a decision is made from. */
export interface PolicyView {
  /** The map in force. */
  readonly record: MapRecord | undefined;
  /** Nodes that are alive. */
  readonly members: readonly Member[];
  /** Ids of nodes that are to have no films. */
  readonly drained: ReadonlySet<string>;
}

/** What is to be done. */
export interface Decision {
  /** The map to be written; undefined when the one in force is right for now. */
  readonly record: MapRecord | undefined;
  /** Zones in which so many nodes are away that nobody loses films, because it is rather the network. */
  readonly frozen: readonly string[];
}

/** Times `settle` that a zone's first map waits for all nodes to have come, so that none has to join it. */
const GATHERING = 4;
/** Most of a zone's nodes that may lose their films at once without somebody saying so. */
const EVICTED_MAX = 1 / 3;

/**
 * Decides when the map changes: at once when somebody says so or a node drains, soon when a node has come to stay, and
 * late when one is away. What it has seen counts from its own first look, so a new leader takes its time.
 */
export class MapPolicy {
  readonly #options: PolicyOptions;
  /** When each node was first seen away, and since when it has been there with its weight, by the caller's clock. */
  readonly #awaySince = new Map<string, number>();
  readonly #thereSince = new Map<string, { readonly as: string; readonly since: number }>();

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  /** Forgets what it has seen. */
  reset(): void {
    this.#awaySince.clear();
    this.#thereSince.clear();
  }

  /** Takes a look, so that time begins to count. @param now milliseconds of a clock that never jumps */
  observe({ record, members }: PolicyView, now: number): void {
    const living = new Map(members.map(member => [member.id, `${member.zone} ${member.weight} ${member.instance}`]));
    for (const [id, as] of living) {
      if (this.#thereSince.get(id)?.as !== as) this.#thereSince.set(id, { as, since: now });
      this.#awaySince.delete(id);
    }
    for (const id of this.#thereSince.keys()) if (!living.has(id)) this.#thereSince.delete(id);
    const mapped = new Set(record?.zones.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
    for (const id of mapped) if (!living.has(id) && !this.#awaySince.has(id)) this.#awaySince.set(id, now);
    for (const id of this.#awaySince.keys()) if (!mapped.has(id)) this.#awaySince.delete(id);
  }

  /**
   * @param now as for `observe`
   * @param wall milliseconds since 1970
   * @param told whether somebody wants it now, without waiting for anything
   */
  decide(view: PolicyView, now: number, wall: number, told: boolean): Decision {
    const { record, members } = view;
    const names = [...new Set([...(record?.zones ?? []), ...members].map(({ zone }) => zone))].sort();
    const frozen: string[] = [];
    let isChanged = false;
    const zones = names.flatMap(name => {
      const before = record?.zones.find(({ zone }) => zone === name);
      const wanted = this.#wanted(name, before, view, now, told, frozen);
      if (wanted.length === 0 || (before !== undefined && isSame(before.nodes, wanted))) return before ?? [];
      isChanged = true;
      return this.#planned(name, wanted, before, record, wall);
    });
    const shape = record ?? this.#options;
    const next = { partitions: shape.partitions, replicas: shape.replicas, zones };
    return { record: isChanged ? next : undefined, frozen };
  }

  /** Nodes that the map of a zone should have. */
  #wanted(
    zone: string,
    before: ZoneMap | undefined,
    { members, drained }: PolicyView,
    now: number,
    told: boolean,
    frozen: string[],
  ): Pick<MapNode, 'id' | 'weight'>[] {
    const living = new Map(members.filter(member => member.zone === zone).map(member => [member.id, member]));
    const elsewhere = new Set(members.filter(member => member.zone !== zone).map(({ id }) => id));
    const old = (before?.nodes ?? []).filter(({ id }) => !drained.has(id) && !elsewhere.has(id));
    const away = old.filter(({ id }) => !living.has(id));
    const isFrozen = !told && away.length > (before?.nodes.length ?? 0) * EVICTED_MAX;
    if (isFrozen) frozen.push(zone);
    const stays = ({ id }: MapNode) =>
      living.has(id) || (!told && (isFrozen || now - (this.#awaySince.get(id) ?? now) < this.#options.holdDown));
    const { settle } = this.#options;
    const there = (id: string) => now - (this.#thereSince.get(id)?.since ?? now);
    const isSettled = (id: string) => told || there(id) >= settle;
    const kept = old.filter(stays).map(({ id, weight }) => {
      const member = living.get(id);
      return { id, weight: member !== undefined && isSettled(id) ? member.weight : weight };
    });
    const ages = [...living.keys()].map(there);
    const isGathering =
      before === undefined && !told && Math.min(...ages) < settle && Math.max(...ages) < GATHERING * settle;
    if (isGathering) return [];
    const known = new Set(before?.nodes.map(({ id }) => id));
    const joiners = [...living.values()].filter(({ id }) => !known.has(id) && !drained.has(id) && isSettled(id));
    return [...kept, ...joiners.map(({ id, weight }) => ({ id, weight }))];
  }

  #planned(
    zone: string,
    wanted: readonly Pick<MapNode, 'id' | 'weight'>[],
    before: ZoneMap | undefined,
    record: MapRecord | undefined,
    wall: number,
  ): ZoneMap {
    const { partitions, replicas } = record ?? this.#options;
    const lists = planMap({ nodes: wanted, partitions, replicas }, before?.lists);
    const joined = new Map(before?.nodes.map(node => [node.id, node.joined]));
    return {
      zone,
      nodes: wanted.map(node => ({ ...node, joined: before === undefined ? 0 : (joined.get(node.id) ?? wall) })),
      lists,
      previous: lists.map(([owner], partition) => {
        const formerly = before?.lists[partition]?.[0];
        return formerly === owner ? before?.previous[partition] : formerly;
      }),
    };
  }
}

function isSame(nodes: readonly MapNode[], wanted: readonly Pick<MapNode, 'id' | 'weight'>[]): boolean {
  const weights = new Map(nodes.map(({ id, weight }) => [id, weight]));
  return nodes.length === wanted.length && wanted.every(({ id, weight }) => weights.get(id) === weight);
}
