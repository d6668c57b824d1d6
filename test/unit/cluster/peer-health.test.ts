import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { HEALTH_TIMES, PeerHealth } from '../../../src/cluster/peer/peer-health.js';

/** A peer whose probes a test answers, on a clock of the test. */
function watched() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const probes: number[] = [];
  const changes: boolean[] = [];
  let now = 0;
  const peer = { isAlive: true };
  const health = new PeerHealth(
    async () => {
      probes.push(now);
      return peer.isAlive;
    },
    HEALTH_TIMES,
    isWell => changes.push(isWell),
  );
  const pass = async (milliseconds: number) => {
    for (let i = 0; i < milliseconds; i += 100) {
      now += 100;
      mock.timers.tick(100);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  };
  return { health, probes, changes, peer, pass, end: () => mock.timers.reset() };
}

test('a peer that can not be reached is left out at once, and looked at after 2, 4 … 30 s', async () => {
  const { health, probes, changes, peer, pass, end } = watched();
  peer.isAlive = false;
  health.failed(0, '/', false);
  assert.equal(health.isWell, false);
  await pass(130_000);
  assert.deepEqual(
    probes.map((at, i) => at - (probes[i - 1] ?? 0)),
    [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000],
  );
  peer.isAlive = true;
  await pass(30_000);
  assert.equal(health.isWell, true);
  assert.deepEqual(changes, [false, true]);
  end();
});

test('a connection that broke is looked into at once; a peer that goes on breaking them rests', async () => {
  const { health, probes, pass, end } = watched();
  health.failed(0, '/', true);
  assert.equal(health.isWell, false);
  await pass(100);
  assert.equal(health.isWell, true);
  assert.equal(probes.length, 1);
  health.failed(0, '/', true);
  await pass(1900);
  assert.equal(health.isWell, false);
  await pass(200);
  assert.equal(health.isWell, true);
  health.failed(0, '/', true);
  await pass(3900);
  assert.equal(health.isWell, false);
  await pass(200);
  health.succeeded();
  health.failed(0, '/', true);
  await pass(100);
  assert.equal(health.isWell, true, 'an answer makes up for it');
  end();
});

test('a peer that is well is looked at twice a second, and found dead without any request', async () => {
  const { health, probes, peer, pass, end } = watched();
  await pass(1750);
  assert.deepEqual(probes, [500, 1000, 1500]);
  peer.isAlive = false;
  await pass(1000);
  assert.equal(health.isWell, false);
  health.forgive();
  peer.isAlive = true;
  await pass(100);
  assert.equal(health.isWell, false, 'the probe was under way before it was back');
  health.forgive();
  await pass(100);
  assert.equal(health.isWell, true);
  health.close();
  const count = probes.length;
  await pass(5000);
  assert.equal(probes.length, count);
  end();
});

test('what is no peer is left out for the longest rest', async () => {
  const { health, pass, end } = watched();
  health.unfit('secret');
  await pass(29_900);
  assert.equal(health.isWell, false);
  await pass(200);
  assert.equal(health.isWell, true);
  end();
});
