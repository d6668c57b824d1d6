import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../../src/supervisor/backoff.js';

test('workers that keep dying early are replaced at growing intervals, others at once', () => {
  const backoff = new Backoff({ early: 5000, first: 100, longest: 5000, free: 1 });
  const delays = (lives: number[]) => lives.map(lived => backoff.died(lived));
  assert.deepEqual(delays([3_600_000, 10_000, 5000]), [0, 0, 0]);
  assert.deepEqual(delays([10, 20, 30, 4999, 1]), [0, 100, 200, 400, 800]);
  assert.deepEqual(delays(Array(2000).fill(0)).at(-1), 5000);
  assert.deepEqual(delays([60_000, 1, 1]), [0, 0, 100]);
});

test('a process that is never replaced at once: ever later while it dies early, and soon again after a long life', () => {
  const backoff = new Backoff({ early: 60_000, first: 1000, longest: 60_000, least: 1000 });
  const delays = [10, 59_999, 0, 3, 60_000, 1].map(lived => backoff.died(lived));
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 1000, 1000]);
  assert.equal(Array.from({ length: 20 }, () => backoff.died(0)).at(-1), 60_000);
});
