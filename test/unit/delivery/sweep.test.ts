import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Stalled, StallSweep } from '../../../src/delivery/sweep.js';

class Response implements Stalled {
  sweptAt = 0;
  rearmed = 0;
  retried = 0;
  isCut = false;
  takes = false;
  constructor(
    readonly sweep: StallSweep,
    public stalledSince = performance.now(),
  ) {
    sweep.add(this);
  }
  rearm(): void {
    this.rearmed++;
  }
  retry(): boolean {
    this.retried++;
    return this.takes;
  }
  cut(): void {
    this.isCut = true;
    this.sweep.delete(this);
  }
}

test('each stalled response is seen to every four seconds, thousands in shares', () => {
  const sweep = new StallSweep(60_000);
  const responses = Array.from({ length: 4000 }, () => new Response(sweep));
  const start = performance.now();
  const seen = () => responses.reduce((sum, { rearmed }) => sum + rearmed, 0);
  sweep.round(start + 3900);
  assert.equal(seen(), 0);
  const gaps: number[] = [];
  let before = 0;
  for (let now = start + 4000; now < start + 40_000; now += 500) {
    sweep.round(now);
    gaps.push(seen() - before);
    before = seen();
  }
  assert.ok(Math.max(...gaps) <= 1000, 'no round sees to more than a quarter');
  for (const { rearmed } of responses) assert.ok(rearmed >= 7, 'none waits longer than 6 s');
  for (const response of responses) sweep.delete(response);
});

test('a response is cut after the timeout, unless its socket takes a byte', () => {
  const sweep = new StallSweep(10_000);
  const dead = new Response(sweep);
  const slow = new Response(sweep);
  slow.takes = true;
  const start = performance.now();
  for (const seconds of [4, 8]) {
    sweep.round(start + seconds * 1000 + 10);
    sweep.round(start + seconds * 1000 + 10);
  }
  assert.deepEqual([dead.retried, slow.retried, dead.isCut], [0, 0, false]);
  sweep.round(start + 12_100);
  sweep.round(start + 12_100);
  assert.deepEqual([dead.retried, slow.retried, dead.isCut, slow.isCut], [1, 1, true, false]);
  assert.equal(sweep.size, 1);
  sweep.delete(slow);
});

test('an idle sweep keeps no timer', () => {
  const sweep = new StallSweep(1000);
  const response = new Response(sweep);
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
  const during = timers();
  sweep.delete(response);
  assert.equal(timers(), during - 1);
});
