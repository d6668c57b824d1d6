import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ClusterNode, ClusterState } from '../../../src/cluster/cluster-state.js';
import { type NodeView, Placement, type PlacementOptions } from '../../../src/cluster/routing/placement.js';

const MB = 1024 * 1024;

function stateOf(count: number, change: Partial<ClusterState> = {}, partitions = 32): ClusterState {
  const nodes = Array.from({ length: count }, (_, at): ClusterNode => {
    return { id: `n${at}`, zone: 'z', weight: 1, host: 'h', port: 1, url: undefined, state: 'up', share: 1 };
  });
  const map = Array.from({ length: partitions }, (_, p) => [p % count, (p + 1) % count, (p + 2) % count]);
  return { epoch: 1, self: 'n0', nodes, map, previousOwners: map.map(() => -1), otherZones: [], ...change };
}

function with_(state: ClusterState, id: string, change: Partial<ClusterNode>): ClusterState {
  return { ...state, nodes: state.nodes.map(node => (node.id === id ? { ...node, ...change } : node)) };
}

const ALL_WELL: NodeView = { isWell: () => true, load: () => undefined };
const OPTIONS: PlacementOptions = { warmUp: [], overload: 1.25 };

function placement(state: ClusterState, view: Partial<NodeView> = {}, options: Partial<PlacementOptions> = {}) {
  return new Placement(state, { ...OPTIONS, ...options }, { ...ALL_WELL, ...view });
}

const ids = (serving: { readonly nodes: readonly ClusterNode[] }) => serving.nodes.map(({ id }) => id);

test('the owner, then its replicas; those that are away, drain or do not answer are passed over', () => {
  const state = stateOf(4);
  assert.deepEqual(ids(placement(state).serving(1, 0, 0)), ['n1', 'n2', 'n3']);
  for (const away of ['away', 'draining'] as const)
    assert.deepEqual(ids(placement(with_(state, 'n1', { state: away })).serving(1, 0, 0)), ['n2', 'n3']);
  const broken = placement(state, { isWell: id => id !== 'n1' });
  assert.deepEqual(ids(broken.serving(1, 0, 0)), ['n2', 'n3']);
  assert.equal(broken.serving(1, 0, 0).reason, 'replica');
  const all = placement(state, { isWell: () => false });
  assert.deepEqual(ids(all.serving(1, 0, 0)), [], 'then this edge answers');
  assert.deepEqual(ids(all.serving(0, 0, 0)), ['n0'], 'an edge is well to itself');
});

test('an edge alone, and one that is not in the map', () => {
  assert.equal(placement(stateOf(1)).partitions, 0);
  const stranger = placement(stateOf(3, { self: 'x' }));
  assert.equal(stranger.owns(0), false);
  assert.deepEqual(ids(stranger.serving(0, 0, 0)), ['n0', 'n1', 'n2']);
});

test('a joiner has its share of the films, by film, and the owner before it has the rest', () => {
  const state = with_(stateOf(4, { previousOwners: Array(32).fill(3) }), 'n1', { share: 0.25 });
  const place = placement(state, {}, { warmUp: [0.5] });
  assert.deepEqual(ids(place.serving(1, 0.24, 0)), ['n1', 'n2', 'n3']);
  assert.deepEqual(ids(place.serving(1, 0.25, 0)), ['n3', 'n1', 'n2']);
  assert.equal(place.serving(1, 0.25, 0).reason, 'ramp');
  assert.equal(place.serving(1, 0.1, 0.1).reason, 'owner', 'nobody is warmed while one ramps');
  const gone = placement(with_(state, 'n3', { state: 'away' }));
  assert.deepEqual(ids(gone.serving(1, 0.9, 0)), ['n1', 'n2']);
});

test('warm-up: as many viewers as it says, of replicas that are well', () => {
  const place = placement(stateOf(4), {}, { warmUp: [0.05, 0.01] });
  const counts = new Map<string, number>();
  for (let viewer = 0; viewer < 10_000; viewer++) {
    const [first] = ids(place.serving(1, 0, (viewer + 0.5) / 10_000));
    counts.set(first!, (counts.get(first!) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counts), { n2: 500, n3: 100, n1: 9400 });
  const sick = placement(stateOf(4), { isWell: id => id !== 'n2' }, { warmUp: [0.05, 0.01] });
  assert.deepEqual(ids(sick.serving(1, 0, 0.01)), ['n1', 'n3']);
});

test('bounded load: what goes beyond the bound goes to the next with room, and no more than that', () => {
  const loads: Record<string, number> = { n0: 50 * MB, n1: 250 * MB, n2: 60 * MB, n3: 40 * MB };
  const place = placement(stateOf(4), { load: id => loads[id] });
  let away = 0;
  for (let viewer = 0; viewer < 1000; viewer++) {
    const serving = place.serving(1, 0, (viewer + 0.5) / 1000);
    if (serving.reason !== 'overflow') continue;
    away++;
    assert.equal(serving.nodes[0]!.id, 'n2');
  }
  // A load of 250 against a bound of 1.25 times 100.
  assert.ok(Math.abs(away - 500) < 60, String(away));
  loads.n2 = 200 * MB;
  loads.n3 = 200 * MB;
  assert.equal(place.serving(1, 0, 0.99999).nodes[0]!.id, 'n1', 'at most 1.25 of a mean of 175');
  const quiet = placement(stateOf(4), { load: id => (id === 'n1' ? 6 * MB : 1) });
  assert.equal(quiet.serving(1, 0, 0.99999).reason, 'owner', 'what is small is never even');
});

test('a hot film is spread evenly over as many edges as it should have', () => {
  const place = placement(stateOf(6));
  for (const [copies, edges] of [
    [1, 2],
    [2, 3],
    [5, 6],
    [9, 6],
  ]) {
    const counts = new Map<string, number>();
    for (let viewer = 0; viewer < 600; viewer++) {
      const first = place.serving(1, 0, viewer / 600, copies).nodes[0]!.id;
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    assert.equal(counts.size, edges);
    for (const count of counts.values()) assert.ok(Math.abs(count - 600 / edges!) <= 1);
  }
});

test('films are spread by an edge that has much to do, over all others that serve', () => {
  const state = with_(with_(stateOf(5), 'n3', { state: 'away' }), 'n4', { zone: 'other' });
  assert.equal(placement(state).othersUp(), 0);
  assert.equal(placement(state, { load: () => MB }).othersUp(), 0);
  assert.equal(placement(state, { load: () => 100 * MB }).othersUp(), 2);
});

test('bytes come from the owner, and the owner’s from who had them before or has them elsewhere, if these are cached', () => {
  const state = stateOf(4, { previousOwners: Array(32).fill(2), otherZones: [Array(32).fill(3)] });
  const own = placement(state).fillSources(0);
  assert.deepEqual([ids(own), own.cachedOnly], [['n2', 'n3'], true]);
  const replica = placement(state).fillSources(1);
  assert.deepEqual([ids(replica), replica.cachedOnly], [['n1'], false]);
  assert.deepEqual(ids(placement(with_(state, 'n1', { state: 'draining' })).fillSources(1)), ['n1']);
  // Its replicas may be warm, and are asked for what they have, before the storage is.
  const orphan = placement(with_(state, 'n1', { state: 'away' })).fillSources(1);
  assert.deepEqual([ids(orphan), orphan.cachedOnly], [['n2', 'n3'], true]);
  const heir = placement(with_({ ...state, self: 'n2' }, 'n1', { state: 'away' })).fillSources(1);
  assert.deepEqual([ids(heir), heir.cachedOnly], [['n3'], true]);
  assert.deepEqual(ids(placement(state, { isWell: () => false }).fillSources(0)), []);
});

test('no two edges that have one map each fetch from the other, whatever is well', () => {
  fc.assert(
    fc.property(
      fc.nat(31),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      fc.nat(4),
      (partition, well, prev) => {
        const state = stateOf(5, { previousOwners: Array(32).fill(prev) });
        const isWell = (id: string) => well[Number(id.slice(1))]!;
        const full = state.nodes.flatMap(({ id }) => {
          const sources = placement({ ...state, self: id }, { isWell }).fillSources(partition);
          return sources.cachedOnly ? [] : sources.nodes.map(node => [id, node.id] as const);
        });
        for (const [, to] of full) assert.ok(!full.some(([from]) => from === to));
      },
    ),
  );
});
