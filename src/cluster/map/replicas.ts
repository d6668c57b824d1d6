import { quotas } from './quota.js';

/**
 * Gives each partition its replicas, level by level. On each level, the partitions of one owner are parted among all
 * others by weight, so that they are inherited evenly; and among those of one owner and one stand-in, too.
 * @param owners owner of each partition
 * @param kept owner and replicas of each partition in the map before, as indexes of nodes; -1 for nodes that are gone
 * @param weights of the nodes
 * @param depth replicas of each partition, fewer than there are nodes
 * @returns owner and replicas of each partition
 */
export function planReplicas(
  owners: readonly number[],
  kept: readonly (readonly number[])[],
  weights: readonly number[],
  depth: number,
): number[][] {
  const lists = owners.map(owner => [owner]);
  const rows = weights.map((_, node) => owners.flatMap((owner, partition) => (owner === node ? [partition] : [])));
  // Who was on the list and still is there comes first: its cache is warm.
  const warm = kept.map((list, partition) => list.filter(node => node >= 0 && node !== owners[partition]));
  for (let level = 1; level <= depth; level++) new Level(lists, warm, weights).fill(rows);
  return lists;
}

/** One replica for each partition. */
class Level {
  readonly #lists: number[][];
  readonly #warm: readonly (readonly number[])[];
  readonly #weights: readonly number[];
  /** What each node is owed by the rows so far, in partitions. */
  readonly #claims: number[];
  /** Partitions of each pair: a node on the list, and the one that follows it on this level. */
  readonly #pairs: Int32Array;

  constructor(lists: number[][], warm: readonly (readonly number[])[], weights: readonly number[]) {
    this.#lists = lists;
    this.#warm = warm;
    this.#weights = weights;
    this.#claims = weights.map(() => 0);
    this.#pairs = new Int32Array(weights.length ** 2);
  }

  /** @param rows partitions of each owner */
  fill(rows: readonly (readonly number[])[]): void {
    rows.forEach((row, owner) => {
      if (row.length > 0) this.#fillRow(row, owner);
    });
  }

  #fillRow(row: readonly number[], owner: number): void {
    const others = this.#weights.flatMap((_, node) => (node === owner ? [] : [node]));
    const wished = row.map(partition => this.#warmest(partition));
    const free = this.#parted(row.length, others, wished);
    const taken = row.map((_, i) => {
      const node = wished[i]!;
      if (node < 0 || free[node]! <= 0) return -1;
      free[node]!--;
      return node;
    });
    row.forEach((partition, i) => {
      if (taken[i]! < 0) taken[i] = this.#choose(partition, others, free);
      if (taken[i]! < 0) taken[i] = this.#swap(i, row, taken, others, free);
      this.#note(partition, taken[i]!);
    });
    row.forEach((partition, i) => {
      this.#lists[partition]!.push(taken[i]!);
    });
  }

  /** The first of the map before that is not on the list yet; -1 when there is none. */
  #warmest(partition: number): number {
    const list = this.#lists[partition]!;
    return this.#warm[partition]!.find(node => !list.includes(node)) ?? -1;
  }

  /** How many partitions of a row each node gets. */
  #parted(total: number, others: readonly number[], wished: readonly number[]): number[] {
    const weights = others.map(node => this.#weights[node]!);
    const sum = weights.reduce((a, b) => a + b, 0);
    const held = others.map(node => wished.filter(each => each === node).length);
    const parts = quotas(
      total,
      weights,
      held,
      others.map(node => this.#claims[node]!),
    );
    const free = this.#weights.map(() => 0);
    others.forEach((node, i) => {
      free[node] = parts[i]!;
      this.#claims[node]! += (total * weights[i]!) / sum - parts[i]!;
    });
    return free;
  }

  /** A node that has room and is not on the list; -1 when there is none. */
  #choose(partition: number, others: readonly number[], free: number[]): number {
    const list = this.#lists[partition]!;
    let best = -1;
    for (const node of others) {
      if (free[node]! <= 0 || list.includes(node)) continue;
      if (best < 0 || this.#isBetter(partition, node, best, free)) best = node;
    }
    if (best >= 0) free[best]!--;
    return best;
  }

  /** Rather one that follows those on the list seldom; then one with much room. */
  #isBetter(partition: number, node: number, than: number, free: readonly number[]): boolean {
    const [a, b] = [this.#following(partition, node), this.#following(partition, than)];
    return a === b ? free[node]! > free[than]! : a < b;
  }

  #following(partition: number, node: number): number {
    const list = this.#lists[partition]!;
    const count = list.reduce((sum, before) => sum + this.#pairs[before * this.#weights.length + node]!, 0);
    return count / this.#weights[node]!;
  }

  #note(partition: number, node: number): void {
    for (const before of this.#lists[partition]!) this.#pairs[before * this.#weights.length + node]!++;
  }

  /**
   * Only nodes that are on the list have room: another partition of the row takes such a one and gives up its own.
   * Where none can, the one of the map before keeps it, or the node that has been given fewest gets one too many.
   */
  #swap(i: number, row: readonly number[], taken: number[], others: readonly number[], free: number[]): number {
    const list = this.#lists[row[i]!]!;
    const roomy = others.filter(node => free[node]! > 0);
    for (let j = 0; j < row.length; j++) {
      const theirs = taken[j]!;
      if (j === i || theirs < 0 || list.includes(theirs)) continue;
      const node = roomy.find(each => !this.#lists[row[j]!]!.includes(each));
      if (node === undefined) continue;
      taken[j] = node;
      free[node]!--;
      return theirs;
    }
    const warm = this.#warmest(row[i]!);
    if (warm >= 0) return warm;
    const allowed = others.filter(node => !list.includes(node));
    return allowed.reduce((a, b) => (this.#following(row[i]!, b) < this.#following(row[i]!, a) ? b : a));
  }
}
