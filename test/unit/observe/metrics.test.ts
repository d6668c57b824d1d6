import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MergedMetrics } from '../../../src/observe/merged-metrics.js';
import { METRICS, type MetricDefinition } from '../../../src/observe/metric-table.js';
import { Metrics, mergeSnapshots } from '../../../src/observe/metrics.js';
import { totalsOf } from '../../../src/observe/totals.js';

async function textOf(...all: Metrics[]): Promise<string> {
  return (await mergeSnapshots(await Promise.all(all.map(each => each.snapshot())))).text;
}

test('the names that operators have alerts on are there, with their labels', () => {
  const contract: Record<string, string[]> = {
    moovedge_http_requests_total: ['status', 'outcome'],
    moovedge_http_response_bytes_total: [],
    moovedge_http_open_responses: [],
    moovedge_http_ttfb_seconds: [],
    moovedge_block_lookups_total: ['tier'],
    moovedge_blocks_evicted_total: ['to'],
    moovedge_cache_bytes: ['tier'],
    moovedge_cache_capacity_bytes: ['tier'],
    moovedge_checksum_failures_total: ['tier'],
    moovedge_origin_requests_total: ['origin', 'status'],
    moovedge_origin_response_bytes_total: ['origin'],
    moovedge_origin_ttfb_seconds: [],
    moovedge_seek_plan_seconds: [],
    moovedge_worker_restarts_total: [],
  };
  const table = new Map<string, MetricDefinition>(Object.entries(METRICS));
  for (const [name, labels] of Object.entries(contract)) assert.deepEqual(table.get(name)?.labels ?? [], labels, name);
});

test('values are read when scraped', async () => {
  const metrics = new Metrics();
  const stats = { bytes: 0, requests: new Map([['200', 3]]) };
  metrics.counter('moovedge_http_response_bytes_total', () => stats.bytes);
  metrics.counter('moovedge_http_requests_total', () =>
    [...stats.requests].map(([status, count]) => [{ status, outcome: 'memory' }, count] as const),
  );
  const observe = metrics.histogram('moovedge_http_ttfb_seconds');
  stats.bytes = 7;
  observe(0.003);
  const text = await textOf(metrics);
  assert.match(text, /^moovedge_http_response_bytes_total 7$/m);
  assert.match(text, /^moovedge_http_requests_total\{status="200",outcome="memory"\} 3$/m);
  assert.match(text, /^moovedge_http_ttfb_seconds_bucket\{le="0\.005"\} 1$/m);
  assert.match(text, /^moovedge_http_ttfb_seconds_count 1$/m);
  stats.bytes = 9;
  assert.match(await textOf(metrics), /^moovedge_http_response_bytes_total 9$/m);
});

test('fields of a module become counters and gauges', async () => {
  const metrics = new Metrics();
  metrics.stats('fill', { readAheads: 4, openFills: 2, name: 'x' }, { gauges: ['openFills'] });
  const text = await textOf(metrics);
  assert.match(text, /^moovedge_fill_read_aheads_total 4$/m);
  assert.match(text, /^moovedge_fill_open_fills 2$/m);
  assert.doesNotMatch(text, /name/);
});

test('label sets are bounded and nothing is lost', async () => {
  const metrics = new Metrics();
  metrics.counter('moovedge_origin_requests_total', () =>
    Array.from({ length: 5000 }, (_, i) => [{ origin: `o${i}`, status: 200 }, 1] as const),
  );
  const [metric] = await metrics.snapshot();
  assert.ok(metric!.values.length <= 401, `${metric!.values.length} series`);
  assert.equal(
    metric!.values.reduce((sum, { value }) => sum + value, 0),
    5000,
  );
});

test('workers are added up; what all see alike is not', async () => {
  const workers = [1, 2].map(n => {
    const metrics = new Metrics();
    metrics.counter('moovedge_http_response_bytes_total', () => n * 10);
    metrics.gauge('moovedge_cache_bytes', () => [[{ tier: 'memory' }, 4096]]);
    metrics.histogram('moovedge_http_ttfb_seconds')(n);
    return metrics;
  });
  const text = await textOf(...workers);
  assert.match(text, /^moovedge_http_response_bytes_total 30$/m);
  assert.match(text, /^moovedge_cache_bytes\{tier="memory"\} 4096$/m);
  assert.match(text, /^moovedge_http_ttfb_seconds_sum 3$/m);
});

test('counters of the dead stay, gauges go', async () => {
  const merged = new MergedMetrics();
  const worker = (requests: number, open: number) => {
    const metrics = new Metrics();
    metrics.counter('moovedge_http_requests_total', () => [[{ status: 200, outcome: 'memory' }, requests]]);
    metrics.gauge('moovedge_http_open_responses', () => open);
    return metrics.snapshot();
  };
  const total = async () => totalsOf((await merged.merge([])).snapshot);
  merged.update('a', await worker(5, 1));
  merged.update('b', await worker(7, 2));
  assert.equal((await total()).requests, 12);
  await Promise.all([merged.end('a'), merged.end('a'), merged.end('unknown')]);
  assert.deepEqual([(await total()).requests, (await total()).openResponses], [12, 2]);
  merged.update('c', await worker(1, 0));
  await merged.end('b');
  assert.deepEqual([(await total()).requests, (await total()).openResponses], [13, 0]);
});

test('totals say what the dashboard shows', async () => {
  const metrics = new Metrics();
  metrics.counter('moovedge_http_requests_total', () => [
    [{ status: 206, outcome: 'memory' }, 8],
    [{ status: 404, outcome: 'miss' }, 2],
  ]);
  metrics.counter('moovedge_block_lookups_total', () => [
    [{ tier: 'memory' }, 6],
    [{ tier: 'disk' }, 1],
    [{ tier: 'origin' }, 3],
  ]);
  metrics.gauge('moovedge_cache_bytes', () => [[{ tier: 'memory' }, 10]]);
  metrics.gauge('moovedge_cache_capacity_bytes', () => [[{ tier: 'memory' }, 100]]);
  metrics.counter('moovedge_origin_requests_total', () => [
    [{ origin: 'a', status: 206 }, 5],
    [{ origin: 'a', status: 503 }, 1],
    [{ origin: 'a', status: 'timeout' }, 1],
  ]);
  const observe = metrics.histogram('moovedge_http_ttfb_seconds');
  for (let i = 0; i < 99; i++) observe(0.0015);
  observe(0.15);
  const totals = totalsOf(await metrics.snapshot());
  assert.deepEqual(totals.requestsByClass, { '2xx': 8, '4xx': 2 });
  assert.equal(totals.hitRatio, 0.7);
  assert.deepEqual(totals.cache, { memory: { bytes: 10, capacity: 100 } });
  assert.equal(totals.origins.a?.requests, 7);
  assert.equal(totals.origins.a?.failures, 2);
  assert.ok(totals.ttfb.p50! > 0.001 && totals.ttfb.p50! < 0.002, String(totals.ttfb.p50));
  assert.ok(totals.ttfb.p99! <= 0.002, String(totals.ttfb.p99));
  assert.equal(totals.seekPlan.p50, undefined);
});
