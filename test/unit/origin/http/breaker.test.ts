import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../../src/base/log.js';
import { Breaker } from '../../../../src/origin/http/breaker.js';
import { Holds } from '../../../../src/origin/http/holds.js';
import { type Experience, type Replica, type ReplicaHealth, Replicas } from '../../../../src/origin/http/replica.js';

const OPTIONS = { failures: 3, cooldown: 100, maxCooldown: 350 };

const fail = (breaker: ReplicaHealth, now: number, url = '/f') => {
  breaker.enter(now, url);
  breaker.failed(now, url, true);
};
/** How a fetch of `/f` has fared that has not fared at all. */
const NEW: Experience = { url: '/f', version: undefined, failures: new Map(), hopeless: new Set() };

test('opens after failures in a row, and not when one in between succeeds', () => {
  const breaker = new Breaker(OPTIONS);
  for (const good of [false, false, true, false, false]) {
    breaker.enter(0, '/f');
    if (good) breaker.succeeded();
    else breaker.failed(0, '/f', true);
  }
  assert.equal(breaker.state(0), 'closed');
  fail(breaker, 0);
  assert.equal(breaker.state(0), 'open');
  assert.equal(breaker.advises(99, '/other'), false);
});

test('half open: one probe at a time; each failure doubles the pause up to its bound, a success ends it', () => {
  const changes: (number | undefined)[] = [];
  const breaker = new Breaker(OPTIONS, pause => changes.push(pause));
  for (let i = 0; i < 3; i++) fail(breaker, 0);
  let now = 0;
  [100, 200, 350, 350].forEach((pause, turn) => {
    const url = `/probe-${turn}`;
    assert.equal(breaker.advises(now + pause - 1, url), false);
    now += pause;
    assert.equal(breaker.state(now), 'half_open');
    assert.ok(breaker.advises(now, url));
    breaker.enter(now, url);
    assert.ok(!breaker.advises(now, '/another'), 'while the probe is out');
    breaker.failed(now, url, true);
  });
  now += 350;
  breaker.enter(now, '/left');
  breaker.left('/left');
  assert.ok(breaker.advises(now, '/left'), 'a probe that was given up says nothing');
  breaker.enter(now, '/good');
  breaker.succeeded();
  assert.equal(breaker.state(now), 'closed');
  assert.deepEqual(changes, [100, 200, 350, 350, 350, undefined]);
});

test('what was under way when it opened, or is asked for want of another server, does not lengthen the pause', () => {
  const changes: (number | undefined)[] = [];
  const breaker = new Breaker(OPTIONS, pause => changes.push(pause));
  for (let i = 0; i < 50; i++) fail(breaker, 10);
  assert.ok(breaker.advises(110, '/other'));
  for (let i = 0; i < 50; i++) fail(breaker, 120);
  assert.ok(breaker.advises(120, '/other'), 'the URL that failed is no probe');
  assert.deepEqual(changes, [100]);
});

test('the probe is not the URL that failed, unless no connection was made or nothing else is asked for', () => {
  const breaker = new Breaker(OPTIONS);
  for (let i = 0; i < 3; i++) fail(breaker, 0, '/bad');
  assert.equal(breaker.advises(100, '/bad'), false);
  assert.ok(breaker.advises(100, '/good'));
  assert.ok(breaker.advises(100 + OPTIONS.maxCooldown, '/bad'), 'after a while a suspect must do');
  const refused = new Breaker(OPTIONS);
  for (let i = 0; i < 3; i++) refused.failed(0, '/f', false);
  assert.ok(refused.advises(100, '/f'));
});

test('replicas: order, health, saturation, and what was tried; none is ruled out that is not hopeless', () => {
  const servers = ['http://a', 'http://b', 'http://c'].map(url => ({ url, weight: 1 }));
  const replicas = new Replicas({
    servers,
    balance: 'ordered',
    connections: 2,
    breaker: OPTIONS,
    retryAfter: 'url',
    log: silentLog,
  });
  const [a, b, c] = replicas.all as [Replica, Replica, Replica];
  const failed = (...counts: [Replica, number][]) => ({ ...NEW, failures: new Map(counts) });
  assert.equal(replicas.pick(0, NEW), a);
  assert.equal(replicas.pick(0, failed([a, 1])), b);
  assert.equal(replicas.pick(0, failed([a, 1], [b, 1], [c, 1])), a, 'better one that failed than none');
  assert.equal(replicas.pick(0, failed([a, 2], [b, 1], [c, 1])), b, 'each has its turn');
  assert.equal(replicas.pick(0, { ...NEW, hopeless: new Set([a, b, c]) }), undefined);
  assert.equal(replicas.wait(0, { ...NEW, hopeless: new Set([a, b, c]) }), undefined);
  a.active = 2;
  assert.equal(replicas.pick(0, NEW), a, 'a busy one is waited for');
  for (let i = 0; i < 3; i++) fail(a.breaker, 0);
  assert.equal(replicas.pick(50, NEW), b);
  assert.equal(replicas.pick(50, failed([b, 1], [c, 1])), a, 'one that rests is no worse than one that failed');
  for (let i = 0; i < 3; i++) fail(b.breaker, 0);
  for (let i = 0; i < 3; i++) fail(c.breaker, 0);
  assert.equal(replicas.pick(50, NEW), a, 'when all rest, each is asked as if none did');
});

test('Retry-After holds back a URL of a server, or the whole server, and nothing else', () => {
  for (const retryAfter of ['url', 'server'] as const) {
    const servers = ['http://a', 'http://b'].map(url => ({ url, weight: 1 }));
    const replicas = new Replicas({
      servers,
      balance: 'ordered',
      connections: 2,
      breaker: OPTIONS,
      retryAfter,
      log: silentLog,
    });
    const [a, b] = replicas.all as [Replica, Replica];
    const other = { ...NEW, url: '/other' };
    replicas.hold(a, 0, '/f', 30_000);
    assert.equal(replicas.pick(10, NEW), b);
    assert.equal(replicas.wait(10, NEW), 0);
    assert.equal(replicas.pick(10, other), retryAfter === 'url' ? a : b);
    replicas.hold(b, 0, '/f', 20_000);
    assert.equal(replicas.wait(10, NEW), 19_990);
    assert.equal(replicas.wait(10, other), retryAfter === 'url' ? 0 : 19_990);
    assert.equal(replicas.wait(20_000, NEW), 0);
    assert.equal(replicas.pick(20_000, NEW), b);
    assert.equal(replicas.pick(30_000, NEW), a);
    assert.equal(a.breaker.state(0), 'closed');
  }
});

test('holds are bounded in number and time', () => {
  const holds = new Holds();
  holds.hold('/long', 0, 1e12);
  assert.equal(holds.wait('/long', 0), 300_000);
  for (let i = 0; i < 5000; i++) holds.hold(`/${i}`, 0, 1000);
  assert.equal(holds.wait('/3999', 0), 0);
  assert.equal(holds.wait('/4000', 0), 1000);
  assert.equal(holds.wait('/4000', 1000), 0);
});

test('replicas by weight: each its share, evenly spread, the rest when one is down', () => {
  const servers = [5, 1, 1].map((weight, i) => ({ url: `http://s${i}`, weight }));
  const replicas = new Replicas({
    servers,
    balance: 'weighted',
    connections: 9,
    breaker: OPTIONS,
    retryAfter: 'url',
    log: silentLog,
  });
  const counts = () => {
    const found = [0, 0, 0];
    for (let i = 0; i < 70; i++) found[replicas.all.indexOf(replicas.pick(0, NEW)!)]!++;
    return found;
  };
  assert.deepEqual(counts(), [50, 10, 10]);
  replicas.all[1]!.active = 9;
  assert.equal(counts()[1], 0, 'one that is busy is spared while others are free');
  replicas.all[1]!.active = 0;
  for (let i = 0; i < 3; i++) replicas.all[0]!.breaker.failed(0, '/f', false);
  const [first, second, third] = counts();
  assert.equal(first, 0);
  assert.ok(Math.abs(second! - third!) <= 2, `${second} and ${third}`);
});
