import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gateway } from '../../../src/cluster/etcd/gateway.js';
import { decodeMap } from '../../../src/cluster/map/map-record.js';
import { Node, type NodeOptions } from '../../support/cluster-node.js';
import { Etcd } from '../../support/etcd.js';
import { Wire } from '../../support/etcd-proxy.js';
import { freePort } from '../../support/ports.js';
import { assertSoon } from '../../support/stopwatch.js';
import { until } from '../../support/until.js';

let etcd: Etcd;
let folder: string;
/** A prefix of its own for each test. */
let prefix: string;
let tests = 0;
const nodes = new Set<Node>();
before(async () => {
  etcd = await Etcd.start();
});
after(() => etcd.end());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-control-'));
  prefix = `/test-${++tests}`;
});
afterEach(async () => {
  await Promise.all([...nodes].map(node => node.stop()));
  nodes.clear();
  rmSync(folder, { recursive: true });
});

/** A node in this test's part of etcd. */
function nodeOf(id: string, options: Partial<NodeOptions> = {}, run?: string): Node {
  const node = new Node(id, { endpoints: etcd.urls, prefix, folder, ...options }, run);
  nodes.add(node);
  return node;
}

/** Nodes whose first map is in force. */
async function clusterOf(ids: readonly string[], options: Partial<NodeOptions> = {}): Promise<Node[]> {
  const cluster = ids.map(id => nodeOf(id, options));
  await until('the first map', () =>
    cluster.every(({ owners, state }) => state.epoch > 0 && owners.join() === ids.join()),
  );
  return cluster;
}

/** The revision at which the leader's key was made. */
async function leaderTerm(): Promise<number> {
  const { kvs } = (await etcd.post(etcd.urls[0]!, '/v3/kv/range', { key: btoa(`${prefix}/leader`) })) as {
    kvs: { create_revision: string }[];
  };
  return Number(kvs[0]!.create_revision);
}

/** The revision of the map in etcd. */
async function mapRevision(): Promise<number> {
  const { kvs } = (await etcd.post(etcd.urls[0]!, '/v3/kv/range', { key: btoa(`${prefix}/map`) })) as {
    kvs?: { mod_revision: string }[];
  };
  return Number(kvs?.[0]?.mod_revision ?? 0);
}

describe('nodes of a cluster', () => {
  it('agree on a first map, without a ramp, and keep it on disk', async () => {
    const cluster = await clusterOf(['a', 'b', 'c']);
    const [first] = cluster;
    for (const { state } of cluster) {
      assert.equal(state.epoch, first!.state.epoch);
      assert.deepEqual(
        state.map.map(list => list.map(index => state.nodes[index]!.id)),
        first!.state.map.map(list => list.map(index => first!.state.nodes[index]!.id)),
      );
      assert.ok(state.nodes.every(({ share, state }) => share === 1 && state === 'up'));
    }
    assert.equal(cluster.filter(({ lines }) => lines.some(line => line.includes('a map was written'))).length, 1);
    assert.ok(readFileSync(first!.file, 'utf8').includes('moovedge-map/1'));
    const epochs = first!.states.map(({ epoch }) => epoch);
    assert.deepEqual(
      epochs,
      [...epochs].sort((a, b) => a - b),
      'epochs never go back',
    );
  });

  it('see a node that stops at once, one that hangs within 8 s, and keep the map', async () => {
    const [a, b, c] = await clusterOf(['a', 'b', 'c']);
    const { epoch } = a!.state;
    await c!.stop();
    const stopped = performance.now();
    await until('c to be away', () => a!.stateOf('c') === 'away' && b!.stateOf('c') === 'away');
    assertSoon(performance.now() - stopped, 3000, 'the sight of it');
    const begun = performance.now();
    // Its workers do not answer any more: the supervisor stops renewing.
    b!.alive = false;
    await until('b to be away', () => a!.stateOf('b') === 'away');
    assertSoon(performance.now() - begun, 8500, 'the sight of it');
    assert.equal(b!.stateOf('b'), 'up', 'for itself it is there');
    b!.alive = true;
    await until('b to be back', () => a!.stateOf('b') === 'up');
    assert.equal(a!.state.epoch, epoch);
  });

  it('give a joiner its share with a ramp, filled from who had it', async () => {
    const [a] = await clusterOf(['a', 'b'], { ramp: 4000 });
    const c = nodeOf('c', { ramp: 4000 });
    await until('c to own films', () => c.owners.includes('c') && a!.owners.includes('c'));
    const share = ({ nodes } = a!.state) => nodes.find(({ id }) => id === 'c')?.share;
    // As it was told first: by now the ramp may be over.
    const first = share(a!.states.find(state => state.map.some(([owner]) => state.nodes[owner!]?.id === 'c')))!;
    assert.ok(first < 1 && first >= 0.05, String(first));
    const own = a!.state.nodes.findIndex(({ id }) => id === 'c');
    for (const [partition, [owner]] of a!.state.map.entries()) {
      const former = a!.state.previousOwners[partition]!;
      if (owner === own) assert.ok(['a', 'b'].includes(a!.state.nodes[former]!.id));
      else assert.equal(former, -1);
    }
    await until('the ramp to end', () => share() === 1);
  });

  it('choose another leader, whose fence the former can not pass', async () => {
    const [a, b] = await clusterOf(['a', 'b']);
    const [leader, other] = a!.control.leader === 'a' ? [a!, b!] : [b!, a!];
    const term = await leaderTerm();
    leader.alive = false;
    await until('another leader', () => other.lines.some(line => line.includes('this node leads')));
    assert.ok(leader.logged('does not lead'), 'the former has resigned by its own clock');
    // What a leader that has slept would write now.
    const gateway = new Gateway({ endpoints: etcd.urls });
    const map = { key: `${prefix}/map`, modified: other.state.epoch };
    const write = [{ put: `${prefix}/map`, value: 'of the past' }];
    const late = await gateway.txn([{ key: `${prefix}/leader`, created: term }, map], write);
    assert.equal(late.done, false);
    const now = await gateway.txn([{ key: `${prefix}/leader`, created: await leaderTerm() }, map], write);
    assert.equal(now.done, true, 'but for the fence nothing would have kept it');
    await gateway.close();
  });

  it('take films from a drained node, which leaves after the ramp and comes back when undrained', async () => {
    const [a, b, c] = await clusterOf(['a', 'b', 'c'], { ramp: 1500 });
    await a!.control.operator.drain('b');
    await until('b to own nothing', () => [a, b, c].every(node => node!.owners.join() === 'a,c'));
    assert.equal(a!.stateOf('b'), 'draining');
    assert.ok(b!.control.isDraining);
    await until('b to leave', () => !b!.control.isMember);
    await assert.rejects(a!.control.operator.drain('nobody'), /expected the id of a node/);
    await b!.control.operator.undrain('b');
    await until('b to own films again', () => a!.owners.join() === 'a,b,c');
    await assert.rejects(a!.control.operator.undrain('b'), /expected the id of a node that is drained/);
  });

  it('see a node that is told to stop at once, though it serves on for a while', async () => {
    const [a, b] = await clusterOf(['a', 'b']);
    b!.control.leave();
    const left = performance.now();
    await until('b to be away', () => a!.stateOf('b') === 'away');
    assertSoon(performance.now() - left, 3000, 'the sight of it');
    await sleep(1500);
    assert.equal(b!.control.isMember, false, 'it does not come back');
    assert.equal(b!.state.epoch, a!.state.epoch);
  });

  it('refuse to drain the last node', async () => {
    const [a] = await clusterOf(['a']);
    await assert.rejects(a!.control.operator.drain('a'), /expected another living node/);
  });

  it('make a plan now when told, without those who are away', async () => {
    const [a, b, c] = await clusterOf(['a', 'b', 'c']);
    await assert.doesNotReject(a!.control.operator.applyPlan());
    assert.equal(a!.control.operator.plan().changes, false);
    await c!.stop();
    await until('c to be away', () => b!.stateOf('c') === 'away');
    const { epoch } = b!.state;
    const preview = b!.control.operator.plan();
    assert.ok(preview.changes);
    assert.equal(preview.zones[0]!.nodes.c!.planned, 0);
    await b!.control.operator.applyPlan();
    await until('a map without c', () => a!.owners.join() === 'a,b' && b!.owners.join() === 'a,b');
    assert.ok(b!.state.epoch > epoch);
  });

  it('do not let a second node with an id of theirs join: it serves alone and says why', async () => {
    const [a, b] = await clusterOf(['a', 'b']);
    const { epoch } = a!.state;
    const twin = nodeOf('a', {}, 'twin');
    await until('the twin to be told', () => twin.control.rival !== undefined && twin.state.epoch === 0);
    assert.ok(twin.logged('another node has the same id'));
    assert.deepEqual(twin.owners, ['a']);
    assert.equal(a!.state.epoch, epoch);
    assert.equal(b!.stateOf('a'), 'up');
    await a!.stop();
    await until('the twin to join when the first is gone', () => twin.control.isMember && twin.state.epoch === epoch);
  });

  it('rewrite nothing while a node flaps', async () => {
    const [a, b, c] = await clusterOf(['a', 'b', 'c']);
    const revision = await mapRevision();
    for (let flap = 0; flap < 5; flap++) {
      await c!.control.stop();
      await sleep(300);
      const again = nodeOf('c');
      await until('c to be back', () => a!.stateOf('c') === 'up' && again.control.isMember);
      await again.stop();
    }
    assert.equal(await mapRevision(), revision);
    assert.equal(b!.state.epoch, revision);
  });

  it('give the films of a node away after the hold-down', async () => {
    const [a, b, c, d] = await clusterOf(['a', 'b', 'c', 'd'], { holdDown: 3000 });
    await d!.stop();
    await until('d to be away', () => a!.stateOf('d') === 'away');
    assert.equal(a!.owners.length, 4);
    await until('a map without d', () => [a!, b!, c!].every(({ owners }) => owners.join() === 'a,b,c'));
  });
});

describe('a node and its etcd', () => {
  it('serves alone without etcd and without a map, and says so', async () => {
    const node = nodeOf('a', { endpoints: [`http://127.0.0.1:${await freePort()}`] });
    assert.equal(node.states.length, 1, 'workers are told at once');
    assert.equal(node.state.epoch, 0);
    assert.equal(node.state.map.length, 64);
    assert.deepEqual(node.owners, ['a']);
    assert.ok(node.logged('serves alone'));
    await until('it to say that etcd is gone', () => node.logged('etcd does not answer'));
    assert.throws(() => node.control.operator.plan(), /etcd does not answer/);
    await assert.rejects(node.control.operator.drain('a'), /expected the id of a node/);
  });

  it('serves alone beside something that is no etcd', async () => {
    for (const endpoint of ['http://127.0.0.1:1', 'https://127.0.0.1:1', etcd.members[0]!.peerUrl]) {
      const node = nodeOf('a', { endpoints: [endpoint] });
      await until('a failure', () => node.logged('etcd does not answer'));
      assert.equal(node.state.epoch, 0);
      await node.stop();
    }
  });

  it('serves by the map on disk without etcd, with the addresses of its peers', async () => {
    const [a] = await clusterOf(['a', 'b', 'c']);
    const { epoch } = a!.state;
    await until('the copy to have all', () => readFileSync(a!.file, 'utf8').includes('\\"id\\":\\"c\\"'));
    await a!.stop();
    const again = nodeOf('a', { endpoints: [`http://127.0.0.1:${await freePort()}`] });
    assert.equal(again.state.epoch, epoch);
    assert.deepEqual(again.owners, ['a', 'b', 'c']);
    assert.ok(again.state.nodes.every(({ port, state }) => port === 8090 && state === 'up'));
    assert.ok(again.logged('the map on disk is in force'));
  });

  it('does without a copy that is damaged', async () => {
    writeFileSync(join(folder, 'a.map'), 'moovedge-cluster/1 0000\nx');
    const node = nodeOf('a', { endpoints: [`http://127.0.0.1:${await freePort()}`] });
    assert.ok(node.logged('of no use'));
    assert.deepEqual(node.owners, ['a']);
  });

  it('keeps the map while all of etcd is gone, and the same afterwards', async () => {
    const own = await Etcd.start();
    try {
      const cluster = await clusterOf(['a', 'b', 'c'], { endpoints: own.urls });
      const { epoch, map } = cluster[0]!.state;
      await own.members[0]!.kill();
      for (const node of cluster) await until('etcd to be missed', () => !node.control.etcd.reachable);
      // Longer than the lease.
      await sleep(6000);
      const published = cluster.map(({ states }) => states.length);
      own.startMember(own.members[0]!);
      await until('all to be members again', () =>
        cluster.every(({ control }) => control.etcd.reachable && control.isMember),
      );
      await sleep(1500);
      for (const [i, { state, states }] of cluster.entries()) {
        assert.equal(state.epoch, epoch);
        assert.deepEqual(state.map, map);
        assert.ok(state.nodes.every(({ state }) => state === 'up'));
        assert.equal(states.length, published[i], 'workers had nothing to be told');
      }
    } finally {
      await Promise.all([...nodes].map(node => node.stop()));
      await own.end();
    }
  });

  it('gives its map to an etcd that was made anew', async () => {
    const wire = await Wire.to(etcd.urls[0]!);
    const other = await Etcd.start();
    try {
      const [a, b] = await clusterOf(['a', 'b'], { endpoints: [wire.url] });
      const { map } = a!.state;
      wire.target = other.urls[0]!;
      wire.reset();
      await until(
        'a map of the new one',
        () => a!.logged('etcd is another one') && a!.state.epoch > 0 && a!.control.isMember,
      );
      await until(
        'both to agree',
        () => b!.state.epoch === a!.state.epoch && b!.control.isMember && a!.state.epoch < 50,
      );
      assert.deepEqual(a!.state.map, map);
    } finally {
      await Promise.all([...nodes].map(node => node.stop()));
      wire.close();
      await other.end();
    }
  });

  it('ignores a map that does not parse, which the leader replaces', async () => {
    const [a, b] = await clusterOf(['a', 'b']);
    const { map } = a!.state;
    await etcd.put(`${prefix}/map`, 'rubbish');
    await until('it to be replaced', () => a!.logged('a map in etcd is ignored') && a!.state.epoch > 0);
    const revision = await until('a map that can be read', async () => {
      const { kvs } = (await etcd.post(etcd.urls[0]!, '/v3/kv/range', { key: btoa(`${prefix}/map`) })) as {
        kvs: { value: string; mod_revision: string }[];
      };
      try {
        decodeMap(Buffer.from(kvs[0]!.value, 'base64').toString());
        return Number(kvs[0]!.mod_revision);
      } catch {
        return undefined;
      }
    });
    await until('both to have it', () => a!.state.epoch === revision && b!.state.epoch === revision);
    assert.deepEqual(a!.state.map, map);
  });

  it('follows the number of partitions of the map, whatever its own settings say', async () => {
    const [a] = await clusterOf(['a', 'b']);
    const c = nodeOf('c', { partitions: 128 });
    await until('c to own films', () => a!.owners.includes('c'));
    assert.equal(c.state.map.length, 64);
    assert.equal(a!.state.map.length, 64);
    const told = c.lines.filter(line => line.includes('those set for this node do not count'));
    assert.equal(told.length, 1);
    assert.match(told[0]!, /"partitions":64.*"set":{"partitions":128/);
    assert.ok(!a!.lines.some(line => line.includes('do not count')));
  });
});

describe('names of live streams', () => {
  const held = (node: Node) => Object.fromEntries(node.control.claims.holders);

  it("are one node's each, whoever takes them at once, until it is done with them", async () => {
    const [a, b, c] = (await clusterOf(['a', 'b', 'c'])) as [Node, Node, Node];
    const keepers = await Promise.all([a, b, c].map(node => node.control.claims.take('app/one', false)));
    const first = [a, b, c][keepers.indexOf(undefined)]!;
    const said = [a, b, c].flatMap(({ lines }) => lines).join('\n');
    assert.equal(keepers.filter(keeper => keeper === undefined).length, 1, `one of them has it:\n${said}`);
    const id = first.state.self;
    assert.ok(keepers.every(keeper => keeper === undefined || keeper === id));
    await until('what all know', () => [a, b, c].every(node => held(node)['app/one'] === id));
    // Who may takes it from that one, who is told.
    const other = first === b ? c : b;
    assert.equal(await other.control.claims.take('app/one', true), undefined);
    await until('the loss', () => first.lost.includes(`app/one ${other.state.self}`));
    await until('what all know', () => [a, b, c].every(node => held(node)['app/one'] === other.state.self));
    assert.equal(other.lost.length, 0);
    // Nobody publishes it at the moment: anybody may have it.
    other.control.claims.set('app/one', false);
    await until('a name that waits', async () => (await a.control.claims.take('app/one', false)) === undefined);
    await until('what all know', () => [b, c].every(node => held(node)['app/one'] === 'a'));
    a.control.claims.drop('app/one');
    await until('none', () => [a, b, c].every(node => held(node)['app/one'] === undefined));
  });

  it('are had without etcd, said once, and claimed when it is back, unless others were faster', async () => {
    const wire = await Wire.to(etcd.urls[0]!);
    try {
      const a = nodeOf('a', { endpoints: [wire.url] });
      const b = nodeOf('b');
      await until('members', () => [a, b].every(node => node.control.isMember));
      for (const name of ['app/one', 'app/two']) assert.equal(await a.control.claims.take(name, true), undefined);
      await until('claims', () => held(b)['app/two'] === 'a');
      wire.cut = 'all';
      for (const name of ['app/three', 'app/four']) assert.equal(await a.control.claims.take(name, true), undefined);
      assert.equal(a.lines.filter(line => line.includes('published without a claim')).length, 1);
      await until('the end of the lease', () => held(b)['app/one'] === undefined);
      assert.equal(await b.control.claims.take('app/two', true), undefined);
      wire.cut = 'nothing';
      wire.reset();
      const all = { 'app/one': 'a', 'app/two': 'b', 'app/three': 'a', 'app/four': 'a' };
      await until('claims again', () =>
        [a, b].every(node => Object.entries(all).every(([name, id]) => held(node)[name] === id)),
      );
      assert.deepEqual(a.lost, ['app/two b']);
    } finally {
      wire.close();
    }
  });
});
