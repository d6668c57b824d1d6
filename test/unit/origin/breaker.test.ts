import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/observe/log-type.js';
import { Breaker } from '../../../src/origin/breaker.js';
import { Replicas } from '../../../src/origin/replica.js';

const OPTIONS = { failures: 3, cooldown: 100, maxCooldown: 350 };

test('opens after failures in a row, and not when one in between succeeds', () => {
  const breaker = new Breaker(OPTIONS);
  for (const good of [false, false, true, false, false]) {
    breaker.enter(0);
    if (good) breaker.succeeded();
    else breaker.failed(0, undefined);
  }
  assert.equal(breaker.state(0), 'closed');
  breaker.failed(0, undefined);
  assert.equal(breaker.state(0), 'open');
  assert.equal(breaker.allows(99), false);
  assert.equal(breaker.wait(40), 60);
});

test('half open: one probe at a time; each failure doubles the pause up to its bound, a success ends it', () => {
  const changes: (number | undefined)[] = [];
  const breaker = new Breaker(OPTIONS, pause => changes.push(pause));
  for (let i = 0; i < 3; i++) breaker.failed(0, undefined);
  let now = 0;
  for (const pause of [100, 200, 350, 350]) {
    assert.equal(breaker.wait(now), pause);
    now += pause;
    assert.equal(breaker.state(now), 'half_open');
    assert.ok(breaker.allows(now));
    breaker.enter(now);
    assert.ok(!breaker.allows(now), 'while the probe is out');
    breaker.failed(now, undefined);
  }
  now += 350;
  breaker.enter(now);
  breaker.left();
  assert.ok(breaker.allows(now), 'a probe that was given up says nothing');
  breaker.enter(now);
  breaker.succeeded();
  assert.equal(breaker.state(now), 'closed');
  assert.deepEqual(changes, [100, 200, 350, 350, 350, undefined]);
});

test('what was under way when it opened does not lengthen the pause; Retry-After opens it at once', () => {
  const breaker = new Breaker(OPTIONS);
  breaker.failed(0, 1);
  assert.equal(breaker.state(0), 'open');
  for (let i = 0; i < 50; i++) breaker.failed(10, undefined);
  assert.equal(breaker.wait(10), 340, 'bounded by the longest pause');
});

test('replicas: order, health, saturation, and what was tried', () => {
  const servers = ['http://a', 'http://b', 'http://c'].map(url => ({ url, weight: 1 }));
  const replicas = new Replicas({ servers, balance: 'ordered', connections: 2, breaker: OPTIONS, log: silentLog });
  const [a, b, c] = replicas.all;
  const none: ReadonlySet<never> = new Set();
  assert.equal(replicas.pick(0, none, none), a);
  assert.equal(replicas.pick(0, new Set([a!]), none), b);
  assert.equal(replicas.pick(0, new Set([a!, b!, c!]), none), a, 'better one that failed than none');
  assert.equal(replicas.pick(0, none, new Set([a!, b!, c!])), undefined);
  a!.active = 2;
  assert.equal(replicas.pick(0, none, none), a, 'a busy one is waited for');
  for (const each of replicas.all) for (let i = 0; i < 3; i++) each.breaker.failed(0, undefined);
  assert.equal(replicas.pick(50, none, none), undefined);
  assert.equal(replicas.wait(50), 50);
  assert.ok(replicas.pick(100, none, none));
});

test('replicas by weight: each its share, evenly spread, the rest when one is down', () => {
  const servers = [5, 1, 1].map((weight, i) => ({ url: `http://s${i}`, weight }));
  const replicas = new Replicas({ servers, balance: 'weighted', connections: 9, breaker: OPTIONS, log: silentLog });
  const counts = () => {
    const found = [0, 0, 0];
    for (let i = 0; i < 70; i++) found[replicas.all.indexOf(replicas.pick(0, new Set(), new Set())!)]!++;
    return found;
  };
  assert.deepEqual(counts(), [50, 10, 10]);
  replicas.all[1]!.active = 9;
  assert.equal(counts()[1], 0, 'one that is busy is spared while others are free');
  replicas.all[1]!.active = 0;
  for (let i = 0; i < 3; i++) replicas.all[0]!.breaker.failed(0, undefined);
  const [first, second, third] = counts();
  assert.equal(first, 0);
  assert.ok(Math.abs(second! - third!) <= 2, `${second} and ${third}`);
});
