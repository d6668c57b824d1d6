import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MapPolicy } from '../../../../src/cluster/control/map-policy.js';
import type { Member } from '../../../../src/cluster/control/member.js';
import type { MapRecord } from '../../../../src/cluster/map/map-record.js';

const SETTLE = 5000;
const HOLD_DOWN = 600_000;
const WALL = 1_700_000_000_000;

/** A cluster with a clock of its own, in which every decision is carried out. */
class Cluster {
  readonly policy = new MapPolicy({ partitions: 128, replicas: 2, holdDown: HOLD_DOWN, settle: SETTLE });
  readonly members = new Map<string, Member>();
  readonly drained = new Set<string>();
  record: MapRecord | undefined;
  frozen: readonly string[] = [];
  now = 0;
  rewrites = 0;

  join(id: string, { zone = 'z', weight = 1 } = {}): void {
    const instance = `${id}-${this.now}`;
    this.members.set(id, { id, zone, weight, host: 'h', port: 1, url: undefined, instance, version: '1' });
  }

  leave(id: string): void {
    this.members.delete(id);
  }

  /** Lets time pass, with a look each second. */
  pass(milliseconds: number, told = false): void {
    const end = this.now + milliseconds;
    do {
      this.now = Math.min(end, this.now + 1000);
      this.look(told);
    } while (this.now < end);
  }

  look(told = false): void {
    const { record, members, drained } = this;
    const view = { record, members: [...members.values()], drained };
    this.policy.observe(view, this.now);
    const decision = this.policy.decide(view, this.now, WALL + this.now, told);
    this.frozen = decision.frozen;
    if (decision.record === undefined) return;
    this.record = decision.record;
    this.rewrites++;
  }

  nodes(zone = 'z'): string[] {
    return (this.record?.zones.find(each => each.zone === zone)?.nodes ?? []).map(({ id }) => id).sort();
  }

  joined(id: string): number | undefined {
    return this.record?.zones.flatMap(({ nodes }) => nodes).find(node => node.id === id)?.joined;
  }
}

function clusterOf(...ids: string[]): Cluster {
  const cluster = new Cluster();
  for (const id of ids) cluster.join(id);
  cluster.pass(SETTLE + 1000);
  return cluster;
}

describe('the policy of the map', () => {
  it('waits until all nodes of a first map have come, and gives them no ramp', () => {
    const cluster = new Cluster();
    cluster.join('a');
    cluster.pass(4000);
    cluster.join('b');
    cluster.pass(4000);
    assert.equal(cluster.record, undefined);
    cluster.pass(4000);
    assert.deepEqual(cluster.nodes(), ['a', 'b']);
    assert.equal(cluster.joined('a'), 0);
    assert.equal(cluster.rewrites, 1);
  });

  it('does not wait for ever for a first map', () => {
    const cluster = new Cluster();
    cluster.join('a');
    for (let second = 0; second < 60; second++) {
      if (second % 2 === 0) cluster.join('flap');
      else cluster.leave('flap');
      cluster.pass(1000);
    }
    assert.deepEqual(cluster.nodes(), ['a']);
    assert.equal(cluster.rewrites, 1);
  });

  it('takes a joiner in when it has come to stay, with the time for its ramp and who had its films', () => {
    const cluster = clusterOf('a', 'b');
    const before = cluster.record!.zones[0]!;
    cluster.join('c');
    cluster.pass(4000);
    assert.deepEqual(cluster.nodes(), ['a', 'b']);
    cluster.pass(2000);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c']);
    assert.ok(cluster.joined('c')! >= WALL);
    const zone = cluster.record!.zones[0]!;
    for (const [partition, [owner]] of zone.lists.entries()) {
      const isNew = owner === 'c';
      assert.equal(zone.previous[partition], isNew ? before.lists[partition]![0] : undefined);
    }
    // Another change must not make the joiner forget whom to fill from.
    cluster.join('d');
    cluster.pass(6000);
    const next = cluster.record!.zones[0]!;
    const still = next.lists.flatMap(([owner], partition) => (owner === 'c' ? [next.previous[partition]] : []));
    assert.ok(still.length > 0 && still.every(id => id === 'a' || id === 'b'));
  });

  it('rewrites nothing while a node of the map flaps, however long', () => {
    const cluster = clusterOf('a', 'b', 'c', 'd');
    for (let second = 0; second < 60; second++) {
      if (second % 2 === 0) cluster.leave('d');
      else cluster.join('d');
      cluster.pass(1000);
    }
    assert.equal(cluster.rewrites, 1);
  });

  it('gives the films of a node away when it has been away for the hold-down, not before', () => {
    const cluster = clusterOf('a', 'b', 'c', 'd');
    cluster.leave('d');
    cluster.pass(HOLD_DOWN - 1000);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c', 'd']);
    cluster.join('d');
    cluster.pass(1000);
    cluster.leave('d');
    cluster.pass(HOLD_DOWN - 1000);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c', 'd'], 'coming back begins the time anew');
    cluster.pass(3000);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c']);
    assert.equal(cluster.rewrites, 2);
  });

  it('freezes when more than a third is away, until somebody says so', () => {
    const cluster = clusterOf('a', 'b', 'c', 'd', 'e', 'f');
    for (const id of ['d', 'e', 'f']) cluster.leave(id);
    cluster.pass(HOLD_DOWN * 3);
    assert.equal(cluster.nodes().length, 6);
    assert.deepEqual(cluster.frozen, ['z']);
    cluster.join('f');
    cluster.pass(1000);
    assert.deepEqual(cluster.frozen, [], 'two of six are no more than a third');
    cluster.leave('f');
    cluster.look(true);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c']);
  });

  it('takes the films from a drained node at once, and back when it is undrained', () => {
    const cluster = clusterOf('a', 'b', 'c');
    cluster.drained.add('b');
    cluster.look();
    assert.deepEqual(cluster.nodes(), ['a', 'c']);
    cluster.pass(60_000);
    assert.equal(cluster.rewrites, 2);
    cluster.drained.delete('b');
    cluster.pass(6000);
    assert.deepEqual(cluster.nodes(), ['a', 'b', 'c']);
    assert.ok(cluster.joined('b')! > 0, 'it ramps up');
  });

  it('keeps the last map when everybody is drained or away', () => {
    const cluster = clusterOf('a');
    cluster.drained.add('a');
    cluster.pass(HOLD_DOWN * 2, true);
    assert.deepEqual(cluster.nodes(), ['a']);
  });

  it('follows a weight when it has settled', () => {
    const cluster = clusterOf('a', 'b');
    cluster.join('b', { weight: 3 });
    cluster.pass(3000);
    assert.equal(cluster.rewrites, 1);
    cluster.pass(3000);
    const [zone] = cluster.record!.zones;
    assert.equal(zone!.lists.filter(([owner]) => owner === 'b').length, 96);
    assert.equal(cluster.joined('b'), 0);
  });

  it('keeps a map for each zone, and leaves others alone', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b']) cluster.join(id, { zone: 'east' });
    for (const id of ['c', 'd', 'e']) cluster.join(id, { zone: 'west' });
    cluster.pass(6000);
    assert.deepEqual(
      [cluster.nodes('east'), cluster.nodes('west')],
      [
        ['a', 'b'],
        ['c', 'd', 'e'],
      ],
    );
    const [east] = cluster.record!.zones;
    for (const id of ['c', 'd', 'e']) cluster.leave(id);
    cluster.join('f', { zone: 'east' });
    cluster.pass(HOLD_DOWN * 2);
    assert.deepEqual(cluster.frozen, ['west']);
    assert.deepEqual(cluster.nodes('west'), ['c', 'd', 'e']);
    assert.deepEqual(cluster.nodes('east'), ['a', 'b', 'f']);
    assert.notDeepEqual(cluster.record!.zones[0], east);
  });

  it('moves a node that has moved to another zone', () => {
    const cluster = clusterOf('a', 'b', 'c');
    cluster.join('c', { zone: 'y' });
    cluster.pass(12_000);
    assert.deepEqual([cluster.nodes('z'), cluster.nodes('y')], [['a', 'b'], ['c']]);
  });
});
