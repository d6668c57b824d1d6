import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterState } from '../../../src/cluster/cluster-state.js';
import { Gateway } from '../../../src/cluster/etcd/gateway.js';
import { Node } from '../../support/cluster-node.js';
import { Etcd } from '../../support/etcd.js';
import { Wire } from '../../support/etcd-proxy.js';
import { until } from '../../support/until.js';

const IDS = ['a', 'b', 'c', 'd'];

let etcd: Etcd;
let folder: string;
let prefix: string;
let tests = 0;
/** The way of each node to each member. */
let wires: Wire[][];
let nodes: Node[];
before(async () => {
  etcd = await Etcd.start({ members: 3 });
});
after(() => etcd.end());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-faults-'));
  prefix = `/fault-${++tests}`;
  wires = await Promise.all(IDS.map(() => Promise.all(etcd.urls.map(url => Wire.to(url)))));
  // Each asks another member first.
  nodes = IDS.map((id, i) => {
    const own = wires[i]!.map(({ url }) => url);
    const endpoints = [...own.slice(i % 3), ...own.slice(0, i % 3)];
    return new Node(id, { endpoints, prefix, folder, ramp: 2000, holdDown: 600_000 });
  });
  await until('the first map', () =>
    nodes.every(({ owners, state }) => state.epoch > 0 && owners.join() === IDS.join()),
  );
});
afterEach(async () => {
  await Promise.all(nodes.map(node => node.stop()));
  for (const wire of wires.flat()) wire.close();
  rmSync(folder, { recursive: true });
});

/** A map with the ids in place of indexes, which differ from node to node. */
function mapOf({ map, nodes }: ClusterState): string {
  return JSON.stringify(map.map(list => list.map(index => nodes[index]!.id)));
}

/** What must hold of everything that the workers of all nodes were told. */
function assertHistory(): void {
  const maps = new Map<number, string>();
  for (const { states } of nodes) {
    let last = 0;
    for (const state of states) {
      assert.ok(state.epoch >= last, `epoch ${state.epoch} after ${last}`);
      last = state.epoch;
      if (state.epoch === 0) continue;
      const map = mapOf(state);
      assert.equal(maps.get(state.epoch) ?? map, map, `two maps of epoch ${state.epoch}`);
      maps.set(state.epoch, map);
    }
  }
}

/** Each write of the map was made while somebody had the leader's key: read from the history of etcd itself. */
async function assertLed(): Promise<void> {
  const gateway = new Gateway({ endpoints: etcd.urls });
  const events: { type?: string; kv: { key: string; mod_revision: string } }[] = [];
  const create_request = { key: btoa(`${prefix}/`), range_end: btoa(`${prefix}0`), start_revision: '1' };
  const { revision } = await gateway.range(`${prefix}/map`);
  const written = await etcd.put(`${prefix}/end`, '');
  assert.ok(written > revision);
  const call = await gateway.stream(
    '/v3/watch',
    { create_request },
    { message: message => events.push(...((message as { events?: typeof events }).events ?? [])), ended() {} },
  );
  await until('all of the history', () => events.some(({ kv }) => Number(kv.mod_revision) === written));
  call.cancel();
  await gateway.close();
  let isLed = false;
  let writes = 0;
  for (const { type, kv } of events) {
    const key = atob(kv.key);
    if (key === `${prefix}/leader`) isLed = type !== 'DELETE';
    if (key !== `${prefix}/map`) continue;
    assert.ok(isLed, `a map of revision ${kv.mod_revision} that no leader wrote`);
    writes++;
  }
  assert.ok(writes > 0);
}

function allUp(): boolean {
  return nodes.every(node => IDS.every(id => node.stateOf(id) === 'up') && node.control.isMember);
}

describe('a cluster whose etcd', () => {
  it('has a leader that hangs goes on with the same map', async () => {
    const [{ epoch } = { epoch: 0 }] = nodes.map(({ state }) => state);
    const leader = await etcd.leader();
    await leader.stop();
    await sleep(8000);
    leader.signal('SIGCONT');
    await until('all to be members', allUp);
    assert.deepEqual(
      nodes.map(({ state }) => state.epoch),
      IDS.map(() => epoch),
    );
    // And it can be changed again.
    await nodes[1]!.control.operator.drain('c');
    await until('c to own nothing', () => nodes.every(({ owners }) => owners.join() === 'a,b,d'));
    assertHistory();
    await assertLed();
  });

  it('has lost two of three keeps the map, and goes on when they are back', async () => {
    const before = nodes.map(({ state }) => mapOf(state));
    const [, ...lost] = etcd.members;
    for (const member of lost) await member.stop();
    for (const node of nodes) await until('etcd to be missed', () => !node.control.etcd.reachable);
    await sleep(6000);
    assert.deepEqual(
      nodes.map(({ state }) => mapOf(state)),
      before,
    );
    assert.ok(
      nodes.every(node => IDS.every(id => node.stateOf(id) === 'up')),
      'nobody is taken for dead',
    );
    for (const member of lost) member.signal('SIGCONT');
    await until('all to be members', allUp);
    assert.deepEqual(
      nodes.map(({ state }) => mapOf(state)),
      before,
    );
    assertHistory();
    await assertLed();
  });

  it('is cut off from one node: it keeps its map, the others see it away, and it takes no lead', async () => {
    const index = IDS.indexOf(nodes[0]!.control.leader!);
    const leader = nodes[index]!;
    for (const wire of wires[index]!) wire.cut = 'answers';
    const others = nodes.filter(node => node !== leader);
    await until('it to be away', () => others.every(node => node.stateOf(IDS[index]!) === 'away'));
    await until('another to lead', () => others.some(node => node.logged('this node leads')));
    await until('it to have resigned', () => leader.logged('does not lead'));
    assert.ok(
      IDS.every(id => leader.stateOf(id) === 'up'),
      'for itself everybody is where they were',
    );
    for (const wire of wires[index]!) {
      wire.cut = 'nothing';
      wire.reset();
    }
    await until('all to be members', allUp);
    assertHistory();
    await assertLed();
  });

  it('is told by a clock that jumps: the node takes its lease for lost, and joins anew', async t => {
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + 3_600_000);
    await until('leases to be given up', () => nodes.every(node => node.logged('not renewed in time')));
    await until('all to be members', allUp);
    t.mock.restoreAll();
    await sleep(2000);
    await until('all to be members', allUp);
    assertHistory();
    await assertLed();
  });
});
