import type { ClusterNode, ClusterState } from '../cluster-state.js';
import type { MapNode, MapRecord, ZoneMap } from '../map/map-record.js';
import type { Member } from './member.js';

/** The least that a node takes of its share when it has just joined. */
const RAMP_BEGIN = 0.05;
const HUNDREDTHS = 100;

/** What a state is made from. */
export interface StateView {
  /** The map and its epoch; undefined where there is none. */
  readonly map: { readonly epoch: number; readonly record: MapRecord } | undefined;
  /** This node. */
  readonly self: Member;
  /** Nodes that are alive. */
  readonly living: ReadonlyMap<string, Member>;
  /** Nodes as they were when they were last seen alive. */
  readonly known: ReadonlyMap<string, Member>;
  readonly drained: ReadonlySet<string>;
  /** Milliseconds in which a joiner comes to its whole share. */
  readonly ramp: number;
  /** For an edge that has no map. */
  readonly partitions: number;
}

/** The cluster as one node's workers shall see it. @param wall milliseconds since 1970 */
export function viewState(view: StateView, wall: number): ClusterState {
  const { map, self } = view;
  const own = map?.record.zones.find(({ zone }) => zone === self.zone);
  if (map === undefined || own === undefined) return aloneState(self, view.partitions);
  const nodes = nodesOf(view, map.record, wall);
  const indexes = new Map(nodes.map(({ id }, index) => [id, index]));
  const indexOf = (id: string | undefined) => indexes.get(id ?? '') ?? -1;
  const owners = ({ lists }: ZoneMap) => lists.map(([owner]) => indexOf(owner));
  return {
    epoch: map.epoch,
    self: self.id,
    nodes,
    map: own.lists.map(list => list.map(indexOf)),
    previousOwners: own.previous.map(indexOf),
    otherZones: map.record.zones.filter(zone => zone !== own).map(owners),
  };
}

/** An edge that has no map, or no place in the cluster: it owns everything. */
export function aloneState(self: Member, partitions: number): ClusterState {
  return {
    epoch: 0,
    self: self.id,
    nodes: [toNode(self, 'up', 1)],
    map: Array.from({ length: partitions }, () => [0]),
    previousOwners: new Array<number>(partitions).fill(-1),
    otherZones: [],
  };
}

/** Nodes of all maps, those of them that were owners before, and those that are alive beside them. */
function nodesOf(view: StateView, record: MapRecord, wall: number): ClusterNode[] {
  const mapped = new Map(
    record.zones.flatMap(({ zone, nodes }) => nodes.map(node => [node.id, { zone, node }] as const)),
  );
  const former = record.zones.flatMap(({ previous }) => previous.filter(id => id !== undefined));
  const ids = new Set([...mapped.keys(), ...former, ...view.living.keys()]);
  return [...ids].flatMap(id => {
    const place = mapped.get(id);
    const member = view.living.get(id) ?? view.known.get(id);
    // One that nobody has seen since this process began can't be reached, but has its place.
    const shown = member ?? (place && unseen(id, place.zone, place.node.weight));
    if (shown === undefined) return [];
    // This node is alive, whether it is a member at this moment or not.
    const isAlive = id === view.self.id || view.living.has(id);
    const state = view.drained.has(id) ? 'draining' : isAlive ? 'up' : 'away';
    return toNode(shown, state, place === undefined ? 1 : shareOf(place.node, view.ramp, wall));
  });
}

function toNode(
  { id, zone, weight, host, port, url }: Member,
  state: ClusterNode['state'],
  share: number,
): ClusterNode {
  return { id, zone, weight, host, port, url, state, share };
}

function unseen(id: string, zone: string, weight: number): Member {
  return { id, zone, weight, host: '', port: 0, url: undefined, instance: '', version: '' };
}

/** Whole hundredths, so that the state changes seldom. */
function shareOf({ joined }: MapNode, ramp: number, wall: number): number {
  if (joined === 0 || wall >= joined + ramp) return 1;
  const share = Math.floor((Math.max(0, wall - joined) / ramp) * HUNDREDTHS) / HUNDREDTHS;
  return Math.max(RAMP_BEGIN, share);
}
