import type { PlacedMap, PlanNode } from '../../src/cluster/map/plan.js';

/** How a map parts the films, by its figures. */
export class MapFigures {
  readonly #map: PlacedMap;
  readonly #nodes: readonly PlanNode[];

  constructor(map: PlacedMap, nodes: readonly PlanNode[]) {
    this.#map = map;
    this.#nodes = nodes;
  }

  /**
   * The most that a living node has, of its even share by weight, when the first of the list that is alive serves.
   * @param dead ids
   */
  mostLoaded(dead: readonly string[] = []): number {
    const living = this.#nodes.filter(({ id }) => !dead.includes(id));
    const weight = living.reduce((sum, node) => sum + node.weight, 0);
    const counts = new Map(living.map(({ id }) => [id, 0]));
    for (const list of this.#map) {
      const server = list.find(id => !dead.includes(id));
      if (server !== undefined) counts.set(server, counts.get(server)! + 1);
    }
    return Math.max(...living.map(node => counts.get(node.id)! / ((this.#map.length * node.weight) / weight)));
  }

  /** The same after the worst death of one node. */
  get mostLoadedAfterDeath(): number {
    return Math.max(...this.#nodes.map(({ id }) => this.mostLoaded([id])));
  }

  /** The same after the worst death of two. */
  get mostLoadedAfterTwo(): number {
    return Math.max(...this.#nodes.flatMap(({ id }) => this.#nodes.map(other => this.mostLoaded([id, other.id]))));
  }

  /** The most that a node inherits of another's partitions, of its even share by weight. */
  get mostInherited(): number {
    return Math.max(...this.#nodes.flatMap(dead => this.#inherited(dead)));
  }

  #inherited(dead: PlanNode): number[] {
    const heirs = this.#map.flatMap(([owner, heir]) => (owner === dead.id && heir !== undefined ? [heir] : []));
    const others = this.#nodes.filter(node => node !== dead);
    const weight = others.reduce((sum, node) => sum + node.weight, 0);
    return others.map(
      ({ id, weight: own }) => heirs.filter(heir => heir === id).length / ((heirs.length * own) / weight),
    );
  }
}

/** Partitions whose owner (`level` 0) or replica differs between two maps. */
export function moved(a: PlacedMap, b: PlacedMap, level = 0): number {
  return a.filter((list, partition) => list[level] !== b[partition]![level]).length;
}

/** Nodes `n00`, `n01` and so on. */
export function planNodes(count: number, weight: (index: number) => number = () => 1): PlanNode[] {
  return Array.from({ length: count }, (_, i) => ({ id: `n${String(i).padStart(2, '0')}`, weight: weight(i) }));
}
