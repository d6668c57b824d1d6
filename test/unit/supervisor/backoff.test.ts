import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../../src/supervisor/backoff.js';

test('workers that keep dying early are replaced at growing intervals, others at once', () => {
  const backoff = new Backoff();
  const delays = (lives: number[]) => lives.map(lived => backoff.died(lived));
  assert.deepEqual(delays([3_600_000, 10_000, 5000]), [0, 0, 0]);
  assert.deepEqual(delays([10, 20, 30, 4999, 1]), [0, 100, 200, 400, 800]);
  assert.deepEqual(delays(Array(2000).fill(0)).at(-1), 5000);
  assert.deepEqual(delays([60_000, 1, 1]), [0, 0, 100]);
});
