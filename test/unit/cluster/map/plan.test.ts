import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PlacedMap, type PlanNode, planMap } from '../../../../src/cluster/map/plan.js';
import { MapFigures, moved, planNodes } from '../../../support/map-figures.js';

const PARTITIONS = 1024;
const REPLICAS = 2;

function plan(nodes: readonly PlanNode[], before?: PlacedMap, partitions = PARTITIONS): PlacedMap {
  return planMap({ nodes, partitions, replicas: REPLICAS }, before);
}

function ownedBy(map: PlacedMap, id: string): number {
  return map.filter(([owner]) => owner === id).length;
}

/** What holds for every map, whatever it was planned from. */
function assertWhole(map: PlacedMap, nodes: readonly PlanNode[], partitions: number): void {
  assert.equal(map.length, partitions);
  const ids = new Set(nodes.map(({ id }) => id));
  for (const list of map) {
    assert.equal(list.length, Math.min(REPLICAS + 1, nodes.length));
    assert.equal(new Set(list).size, list.length, `${list} names a node twice`);
    assert.ok(list.every(id => ids.has(id)));
  }
  const weight = nodes.reduce((sum, node) => sum + node.weight, 0);
  for (const node of nodes) {
    const share = (partitions * node.weight) / weight;
    const owned = ownedBy(map, node.id);
    assert.ok(Math.abs(owned - share) < 1, `${node.id} owns ${owned} where its share is ${share}`);
  }
}

/** The fewest partitions that must change hands so that nodes own their shares. */
function leastMoved(map: PlacedMap, after: PlacedMap, nodes: readonly PlanNode[]): number {
  const living = new Set(nodes.map(({ id }) => id));
  const orphans = map.filter(([owner]) => !living.has(owner!)).length;
  return nodes.reduce((sum, { id }) => sum + Math.max(0, ownedBy(map, id) - ownedBy(after, id)), orphans);
}

const anyNodes = fc.uniqueArray(
  fc.record({ id: fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), weight: fc.integer({ min: 1, max: 20 }) }),
  {
    selector: ({ id }) => id,
    minLength: 1,
    maxLength: 14,
  },
);

describe('a map of ten nodes', () => {
  const nodes = planNodes(10);
  const map = plan(nodes);

  it('keeps the bars of the design', () => {
    const figures = new MapFigures(map, nodes);
    assert.ok(figures.mostLoaded() <= 1.02, `max/mean ${figures.mostLoaded()}`);
    assert.ok(figures.mostLoadedAfterDeath <= 1.05, `after a death ${figures.mostLoadedAfterDeath}`);
    assert.ok(figures.mostLoadedAfterTwo <= 1.05, `after two ${figures.mostLoadedAfterTwo}`);
    assert.ok(figures.mostInherited <= 1.1, `inherited ${figures.mostInherited}`);
  });

  it('does not change when nothing does', () => assert.deepEqual(plan(nodes, map), map));

  it('is one that the figures tell from a map that is not pair-balanced', () => {
    const neighbours = map.map(([owner]) => {
      const index = nodes.findIndex(({ id }) => id === owner);
      return [0, 1, 2].map(step => nodes[(index + step) % nodes.length]!.id);
    });
    const figures = new MapFigures(neighbours, nodes);
    assert.ok(figures.mostInherited > 5);
    assert.ok(figures.mostLoadedAfterDeath > 1.5);
  });

  for (const dead of nodes) {
    it(`moves exactly the share of ${dead.id} when it is gone, and as much when it is back`, () => {
      const others = nodes.filter(node => node !== dead);
      const without = plan(others, map);
      assert.equal(moved(map, without), ownedBy(map, dead.id));
      for (const [partition, [owner]] of map.entries()) {
        if (owner !== dead.id) assert.equal(without[partition]![0], owner);
      }
      const warm = without.filter(
        (list, partition) => map[partition]![0] === dead.id && map[partition]!.includes(list[0]!),
      );
      assert.ok(warm.length >= 0.97 * ownedBy(map, dead.id), `only ${warm.length} went to replicas`);
      const figures = new MapFigures(without, others);
      assert.ok(figures.mostLoaded() <= 1.02 && figures.mostLoadedAfterDeath <= 1.05 && figures.mostInherited <= 1.1);
      const again = plan(nodes, without);
      assert.equal(moved(without, again), ownedBy(again, dead.id));
      assert.ok(new MapFigures(again, nodes).mostInherited <= 1.1);
    });
  }

  it('gives a joiner an even part of each, with the former owner as its first replica', () => {
    const joined = [...nodes, { id: 'z', weight: 1 }];
    const after = plan(joined, map);
    for (const { id } of nodes) assert.ok([8, 9, 10].includes(ownedBy(map, id) - ownedBy(after, id)));
    for (const [partition, [owner, first]] of after.entries()) {
      if (owner === 'z') assert.equal(first, map[partition]![0]);
    }
  });

  it('stays good over many changes', () => {
    let random = 1;
    const next = () => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 1;
      return random / 2 ** 31;
    };
    let now: readonly PlanNode[] = nodes;
    let current = map;
    const all = planNodes(12);
    for (let change = 0; change < 60; change++) {
      const away = all.filter(({ id }) => now.every(node => node.id !== id));
      const leaves = away.length === 0 || (next() < 0.5 && now.length > 7);
      now = leaves ? now.filter((_, i) => i !== Math.floor(next() * now.length)) : [...now, away[0]!];
      current = plan(now, current);
      const figures = new MapFigures(current, now);
      assert.ok(figures.mostLoaded() <= 1.02, `change ${change}: ${figures.mostLoaded()}`);
      assert.ok(figures.mostLoadedAfterDeath <= 1.05, `change ${change}: ${figures.mostLoadedAfterDeath}`);
      assert.ok(figures.mostInherited <= 1.12, `change ${change}: ${figures.mostInherited}`);
    }
  });
});

/** The least by which heirs can differ from even when each partition goes to one: some have the next whole number. */
function leastInherited(map: PlacedMap, nodes: readonly PlanNode[]): number {
  return Math.max(
    ...nodes.map(({ id }) => {
      const each = ownedBy(map, id) / (nodes.length - 1);
      return Math.ceil(each) / each;
    }),
  );
}

describe('a map of nodes of one weight', () => {
  it('is inherited as evenly as whole partitions can be, when it is new and after a death', () => {
    for (let count = 3; count <= 48; count++) {
      const nodes = planNodes(count);
      const map = plan(nodes);
      const near = (figure: number, bound: number) =>
        assert.ok(Math.abs(figure - bound) < 1e-9, `${count} nodes: ${figure}, possible is ${bound}`);
      near(new MapFigures(map, nodes).mostInherited, leastInherited(map, nodes));
      const others = nodes.slice(1);
      const without = plan(others, map);
      near(new MapFigures(without, others).mostInherited, leastInherited(without, others));
    }
  });

  it('keeps the bars of the design for 20 and 40 nodes where there are partitions enough', () => {
    for (const count of [20, 40]) {
      const nodes = planNodes(count);
      const figures = new MapFigures(plan(nodes, undefined, 16_384), nodes);
      assert.ok(figures.mostLoaded() <= 1.02 && figures.mostLoadedAfterDeath <= 1.05);
      assert.ok(figures.mostInherited <= 1.1, `inherited ${figures.mostInherited}`);
    }
  });
});

describe('any map', () => {
  it('gives each node its share, and each partition different nodes', () => {
    fc.assert(
      fc.property(anyNodes, fc.integer({ min: 1, max: 300 }), (nodes, partitions) => {
        assertWhole(plan(nodes, undefined, partitions), nodes, partitions);
      }),
      { numRuns: 60 },
    );
  });

  it('comes of another with the least movement of owners, which then stay', () => {
    fc.assert(
      fc.property(anyNodes, anyNodes, fc.integer({ min: 1, max: 300 }), (nodes, later, partitions) => {
        const before = plan(nodes, undefined, partitions);
        const after = plan(later, before, partitions);
        assertWhole(after, later, partitions);
        assert.equal(moved(before, after), leastMoved(before, after, later));
        assert.equal(moved(after, plan(later, after, partitions)), 0);
      }),
      { numRuns: 60 },
    );
  });

  it('does not depend on the order in which nodes are told', () => {
    fc.assert(
      fc.property(anyNodes, nodes => {
        assert.deepEqual(plan([...nodes].reverse(), undefined, 64), plan(nodes, undefined, 64));
      }),
      { numRuns: 20 },
    );
  });

  it('may come of one of another shape: too short, with strangers, without replicas', () => {
    const nodes = planNodes(3);
    for (const before of [[], [[]], [['x', 'y']], [['n00'], ['n00'], ['n01', 'n01', 'n01']]]) {
      assertWhole(plan(nodes, before, 12), nodes, 12);
    }
  });

  it('of no node is empty', () => assert.deepEqual(plan([]), []));
});
