import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '../../../src/observe/history.js';
import { Metrics } from '../../../src/observe/metrics.js';

const BEGUN = 1_700_000_000_000;

/** An edge whose counters a test sets. */
function edge() {
  const counts = { ok: 0, failed: 0, sent: 0, memory: 0, origin: 0 };
  const metrics = new Metrics();
  metrics.counter('moovedge_http_requests_total', () => [
    [{ status: 200, outcome: 'memory' }, counts.ok],
    [{ status: 502, outcome: 'miss' }, counts.failed],
  ]);
  metrics.counter('moovedge_http_response_bytes_total', () => counts.sent);
  metrics.counter('moovedge_block_lookups_total', () => [
    [{ tier: 'memory' }, counts.memory],
    [{ tier: 'origin' }, counts.origin],
  ]);
  return { counts, snapshot: () => metrics.snapshot() };
}

test('rates are between a sample and the one before, and nothing is told where nothing was', async () => {
  const history = new History();
  const { counts, snapshot } = edge();
  assert.deepEqual(history.read('1h').time, []);
  assert.deepEqual(history.read('24h').hitRatio, []);
  history.add(await snapshot(), BEGUN);
  assert.deepEqual(history.read('1h').requests, []);
  Object.assign(counts, { ok: 40, failed: 10, sent: 5000, memory: 3, origin: 1 });
  history.add(await snapshot(), BEGUN + 5000);
  history.add(await snapshot(), BEGUN + 10_000);
  const { time, requests, errors, sent, memoryRatio, hitRatio, diskRatio, ttfbP50 } = history.read('1h');
  assert.deepEqual(time, [BEGUN / 1000 + 5, BEGUN / 1000 + 10]);
  assert.deepEqual(
    [requests, errors, sent],
    [
      [10, 0],
      [2, 0],
      [1000, 0],
    ],
  );
  assert.deepEqual(
    [memoryRatio, diskRatio, hitRatio],
    [
      [0.75, null],
      [0, null],
      [0.75, null],
    ],
  );
  assert.deepEqual(ttfbP50, [null, null]);
  assert.deepEqual(history.read('24h').time, [], 'not a minute yet');
});

test('a counter that goes back, as after the death of all workers, is no negative rate', async () => {
  const history = new History();
  const { counts, snapshot } = edge();
  counts.ok = 100;
  history.add(await snapshot(), BEGUN);
  counts.ok = 3;
  history.add(await snapshot(), BEGUN + 5000);
  assert.deepEqual(history.read('1h').requests, [0]);
});

test('an hour has a point every five seconds, a day one every minute, and no more are kept', async () => {
  const history = new History();
  const { counts, snapshot } = edge();
  for (let second = 0; second <= 30 * 3600; second += 5) {
    counts.ok += 10;
    // Timers are late now and then.
    if (second % 60 === 0 || second > 29 * 3600) history.add(await snapshot(), BEGUN + second * 1000 + (second % 7));
  }
  const hour = history.read('1h');
  assert.equal(hour.time.length, 720);
  assert.ok(hour.requests.every(rate => Math.abs(rate! - 2) < 0.01));
  const day = history.read('24h');
  assert.ok(Math.abs(day.time.length - 1440) <= 1, `${day.time.length}`);
  assert.ok(day.time.every((time, i) => i === 0 || Math.abs(time! - day.time[i - 1]! - 60) <= 1));
  const lengths = new Set(Object.values(day).map(column => column.length));
  assert.equal(lengths.size, 1, 'columns of one length');
});
