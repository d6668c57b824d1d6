/** The checkers of the soak of clusters: each lets a good history pass, and finds what it is there for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CHECKERS, emptyHistory, type History, type Seen, steepRamps } from '../../soak/cluster/history.js';
import { Node } from '../../support/cluster-node.js';
import { Etcd } from '../../support/etcd.js';
import { until } from '../../support/until.js';

/** Milliseconds in which a joiner comes to its share. */
const RAMP = 10_000;

const NODES = ['a', 'b', 'c'].map(id => ({ id, state: 'up', share: 1, owns: 10 }));

function seen(at: number, edge: string, epoch: number, checksum = `map ${epoch}`, nodes: Seen['nodes'] = NODES): Seen {
  return { at, edge, epoch, checksum, nodes };
}

/** What a cluster should leave behind: a death that is explained, another leader, another map. */
function goodHistory(): History {
  const history = emptyHistory();
  const whole = { took: 10, path: '/a.mp4', outcome: 'whole', why: '' } as const;
  history.asked.push({ ...whole, at: 100, edge: 'a' }, { ...whole, at: 200, edge: 'b' });
  history.asked.push({ ...whole, at: 1100, edge: 'c', outcome: 'failed', why: 'reset' });
  history.troubles.push({ edge: 'c', from: 1000, to: 2000, what: 'kill -9' });
  history.seen.push(
    seen(0, 'a', 3),
    seen(10, 'b', 3),
    seen(500, 'c', 0, 'alone'),
    seen(900, 'a', 9),
    seen(950, 'b', 9),
  );
  history.stored.push(
    { revision: 2, key: 'leader', leader: 'a', isRemoved: false },
    { revision: 3, key: 'map', isRemoved: false },
    { revision: 7, key: 'leader', isRemoved: true },
    { revision: 8, key: 'leader', leader: 'b', isRemoved: false },
    { revision: 9, key: 'map', isRemoved: false },
  );
  history.writers.set(3, 'a').set(9, 'b');
  history.traced.push({ path: '/calm.mp4', hops: 1 }, { path: '/calm.mp4', hops: 0 });
  history.fetched.push({ path: '/calm.mp4', times: [1, 1, 1] });
  return history;
}

/** What each checker must turn red at. */
const HARM: Readonly<Record<keyof typeof CHECKERS, readonly [what: string, harm: (history: History) => void][]>> = {
  'every byte is right': [
    [
      'a wrong byte',
      ({ asked }) => asked.push({ at: 1, took: 1, edge: 'c', path: '/a', outcome: 'wrong', why: 'byte 7' }),
    ],
  ],
  'every failed request is explained by a fault': [
    [
      'a failure at another edge',
      ({ asked }) => asked.push({ at: 1500, took: 1, edge: 'a', path: '/a', outcome: 'failed', why: '' }),
    ],
    [
      'a failure when the fault is over',
      ({ asked }) => asked.push({ at: 2100, took: 1, edge: 'c', path: '/a', outcome: 'failed', why: '' }),
    ],
  ],
  'the epoch of a node never falls': [['an older map', ({ seen: all }) => all.push(seen(1000, 'b', 3))]],
  'one epoch is one map': [['two maps of an epoch', ({ seen: all }) => all.push(seen(1000, 'c', 9, 'another'))]],
  'each map was written by the leader of its time': [
    [
      'no fence: a former leader writes',
      ({ stored, writers }) => {
        stored.push({ revision: 12, key: 'map', isRemoved: false });
        writers.set(12, 'a');
      },
    ],
    [
      'a map while nobody leads',
      ({ stored }) =>
        stored.push({ revision: 11, key: 'leader', isRemoved: true }, { revision: 12, key: 'map', isRemoved: false }),
    ],
  ],
  'no request takes more than one hop': [
    ['no one-hop rule', ({ traced }) => traced.push({ path: '/calm.mp4', hops: 2 })],
  ],
  'each block comes from the storage once': [
    ['a block twice', ({ fetched }) => fetched.push({ path: '/calm.mp4', times: [1, 2, 1] })],
  ],
};

describe('the checkers of histories', () => {
  for (const [name, check] of Object.entries(CHECKERS)) {
    it(`${name}: passes what is right`, () => assert.deepEqual(check(goodHistory()), []));
    for (const [what, harm] of HARM[name]!) {
      it(`${name}: finds ${what}, and no other does`, () => {
        const history = goodHistory();
        harm(history);
        assert.equal(check(history).length, 1);
        const others = Object.entries(CHECKERS).filter(([other]) => other !== name);
        for (const [other, otherCheck] of others) assert.deepEqual(otherCheck(history), [], other);
      });
    }
  }

  it('a joiner on its ramp passes, one without is found', () => {
    const joiner = (share: number) => [...NODES, { id: 'd', state: 'up', share, owns: 8 }];
    const ramped = [0, 2000, 4000, 6000, 8000, 10_000].map(at =>
      seen(at, 'a', 9, '', joiner(Math.max(0.05, at / 10_000))),
    );
    const founded = seen(0, 'a', 3);
    assert.deepEqual(steepRamps(10_000)({ ...emptyHistory(), seen: [founded, ...ramped] }), []);
    const steep = [seen(100, 'a', 9, '', joiner(1)), seen(400, 'b', 9, '', joiner(1))];
    assert.equal(steepRamps(10_000)({ ...emptyHistory(), seen: [founded, ...steep] }).length, 2);
    // Who has not heard yet that it owns nothing is not wrong about a ramp.
    const drained = seen(50, 'a', 10, '', [...NODES, { id: 'd', state: 'up', share: 1, owns: 0 }]);
    const late = seen(60, 'b', 9, '', joiner(1));
    assert.deepEqual(steepRamps(10_000)({ ...emptyHistory(), seen: [founded, drained, late] }), []);
  });
});

describe('a node that joins', () => {
  it('keeps to its ramp; control: where there is none, the checker turns red', async () => {
    const etcd = await Etcd.start();
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-ramp-'));
    const nodes: Node[] = [];
    /** Has a third node join two, and says what the checker of a ramp of ten seconds finds. */
    const joined = async (ramp: number, prefix: string): Promise<string[]> => {
      const options = { endpoints: etcd.urls, prefix, folder, ramp };
      const start = (id: string) => {
        const node = new Node(id, options, `${prefix.slice(1)}-${id}`);
        nodes.push(node);
        return node;
      };
      const founders = [start('a'), start('b')];
      await until('a map of two', () => founders.every(({ owners }) => owners.join() === 'a,b'));
      const history = emptyHistory();
      const note = () => {
        for (const { state } of founders) {
          const owns = (index: number) => state.map.filter(([owner]) => owner === index).length;
          const told = state.nodes.map(({ id, share, state: is }, index) => ({
            id,
            share,
            state: is,
            owns: owns(index),
          }));
          history.seen.push(seen(performance.now(), state.self, state.epoch, '', told));
        }
      };
      note();
      start('c');
      await until('c to have half of its share', () => {
        note();
        return (
          founders.every(({ state }) => state.nodes.some(({ id, share }) => id === 'c' && share > 0.4)) &&
          founders.every(({ owners }) => owners.includes('c'))
        );
      });
      return steepRamps(RAMP)(history);
    };
    try {
      assert.deepEqual(await joined(RAMP, '/ramp'), []);
      assert.notDeepEqual(await joined(0, '/no-ramp'), []);
    } finally {
      for (const node of nodes) await node.stop();
      await etcd.end();
      rmSync(folder, { recursive: true });
    }
  });
});
