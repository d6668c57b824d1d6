import { quotas } from './quota.js';

/**
 * Gives each partition an owner, each node as many as its weight says.
 * @param kept owner and replicas of each partition in the map before, as indexes of nodes; -1 for nodes that are gone
 * @param weights of the nodes
 * @returns the owner of each partition
 */
export function planOwners(kept: readonly (readonly number[])[], weights: readonly number[]): number[] {
  const owners = kept.map(([owner = -1]) => owner);
  const counts = weights.map((_, node) => owners.filter(owner => owner === node).length);
  const missing = quotas(owners.length, weights, counts).map((quota, node) => quota - counts[node]!);
  missing.forEach((count, node) => {
    for (let surplus = -count; surplus > 0; surplus--) owners[toRelease(node, owners, kept, missing, weights)] = -1;
  });
  const free = missing.map(count => Math.max(0, count));
  const homeless = owners.flatMap((owner, partition) => (owner < 0 ? [partition] : []));
  return place(homeless, owners, kept, free);
}

/**
 * The partition that a node with too many lets go: rather one that a node with too few has warm already, then one whose
 * first replica stands in for more of this node's partitions than others do.
 */
function toRelease(
  node: number,
  owners: readonly number[],
  kept: readonly (readonly number[])[],
  missing: readonly number[],
  weights: readonly number[],
): number {
  const standIns = weights.map(() => 0);
  const mine = owners.flatMap((owner, partition) => (owner === node ? [partition] : []));
  for (const partition of mine) if (kept[partition]![1]! >= 0) standIns[kept[partition]![1]!]!++;
  const merit = (partition: number) => {
    const [, first = -1, ...others] = kept[partition]!;
    const warm = first >= 0 && missing[first]! > 0 ? 2 : others.some(other => missing[other]! > 0) ? 1 : 0;
    return warm * owners.length + (first < 0 ? owners.length : standIns[first]! / weights[first]!);
  };
  return mine.reduce((best, partition) => (merit(partition) > merit(best) ? partition : best));
}

/** Gives partitions to nodes that have too few: to their replicas, in order, as far as these may have more. */
function place(
  homeless: readonly number[],
  owners: number[],
  kept: readonly (readonly number[])[],
  free: number[],
): number[] {
  const give = (partition: number, node: number) => {
    owners[partition] = node;
    free[node]!--;
  };
  const depth = Math.max(0, ...homeless.map(partition => kept[partition]!.length));
  for (let level = 1; level < depth; level++) {
    for (const partition of homeless) {
      const node = kept[partition]![level] ?? -1;
      if (owners[partition]! < 0 && node >= 0 && free[node]! > 0) give(partition, node);
    }
  }
  for (const partition of homeless) {
    if (owners[partition]! >= 0) continue;
    give(
      partition,
      free.reduce((most, count, node) => (count > free[most]! ? node : most), 0),
    );
  }
  return owners;
}
