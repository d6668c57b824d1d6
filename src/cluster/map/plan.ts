import { planOwners } from './owners.js';
import { planReplicas } from './replicas.js';

/** A node that takes part in a map. */
export interface PlanNode {
  readonly id: string;
  /** Share of the films, relative to the others; above 0. */
  readonly weight: number;
}

/** For each partition the ids of its owner and replicas, in the order in which they stand in for each other. */
export type PlacedMap = readonly (readonly string[])[];

/** What a map shall be. */
export interface PlanWish {
  readonly nodes: readonly PlanNode[];
  readonly partitions: number;
  /** Replicas of each partition beside its owner; fewer where there are fewer nodes. */
  readonly replicas: number;
}

/**
 * Plans a map: each node owns its share of the partitions by weight, and the partitions of any one node are inherited
 * by all others evenly, since replicas are balanced for each pair of nodes. Of the map before as much is kept as can
 * be: owners change only for partitions whose owner is gone or owns more than its share. The same arguments give the
 * same map.
 * @param before the map in force; ids that are not among `nodes` are gone
 */
export function planMap({ nodes, partitions, replicas }: PlanWish, before?: PlacedMap): PlacedMap {
  // Independent of the order in which nodes are told.
  const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (sorted.length === 0) return [];
  const indexes = new Map(sorted.map(({ id }, index) => [id, index]));
  const weights = sorted.map(({ weight }) => weight);
  const kept = Array.from({ length: partitions }, (_, partition) =>
    (before?.[partition] ?? []).map(id => indexes.get(id) ?? -1),
  );
  const owners = planOwners(kept, weights);
  const lists = planReplicas(owners, kept, weights, Math.min(replicas, sorted.length - 1));
  return lists.map(list => list.map(index => sorted[index]!.id));
}
