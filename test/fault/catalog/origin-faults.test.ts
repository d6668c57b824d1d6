import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../src/cache/block.js';
import type { FreshnessOptions } from '../../../src/catalog/freshness.js';
import type { HttpOrigin } from '../../../src/origin/http-origin.js';
import { CatalogBench, FRESHNESS, type Worker } from '../../support/catalog-bench.js';
import { type Fault, FaultOrigin, faults } from '../../support/fault-origin.js';
import { httpOrigin } from '../../support/http-origin.js';
import { SlabTier } from '../../support/slab-tier.js';

const FILM = '/film.mp4';
const SIZE = 12 * BLOCK_SIZE - 4321;
const PHASES = ['first', 'middle', 'revalidation', 'revalidation without replacement'] as const;
type Phase = (typeof PHASES)[number];

/**
 * What the player of the moment gets in each phase: the whole film, stale or not, or an error. In the middle and later phases it has had what was
 * cached before the error comes. `first` is a cold film; `middle` has its first two blocks cached; the revalidations have all of it
 * cached, the last one under must-revalidate.
 */
type Row = readonly [name: string, fault: () => Fault, ...expected: readonly [string, string, string, string]];

const ROWS: readonly Row[] = [
  [
    'reset before the head',
    () => faults.reset('head'),
    'origin_unavailable',
    'origin_unavailable',
    'stale',
    'origin_unavailable',
  ],
  [
    'reset within the head',
    () => faults.reset('within-head'),
    'origin_unavailable',
    'origin_unavailable',
    'stale',
    'origin_unavailable',
  ],
  [
    'reset in the body',
    () => faults.reset(1000),
    'origin_unavailable',
    'origin_unavailable',
    'revalidated',
    'revalidated',
  ],
  [
    'closed in the body',
    () => faults.cut(70_000),
    'origin_unavailable',
    'origin_unavailable',
    'revalidated',
    'revalidated',
  ],
  ['stall before the head', () => faults.stall('head'), 'origin_timeout', 'origin_timeout', 'stale', 'origin_timeout'],
  ['stall in the body', () => faults.stall(1000), 'origin_timeout', 'origin_timeout', 'revalidated', 'revalidated'],
  ['slow drip', () => faults.drip(50_000, 2), 'miss', 'memory', 'revalidated', 'revalidated'],
  ['500', () => faults.status(500), 'origin_unavailable', 'origin_unavailable', 'stale', 'origin_unavailable'],
  ['503', () => faults.status(503), 'origin_unavailable', 'origin_unavailable', 'stale', 'origin_unavailable'],
  ['404', () => faults.status(404), 'not_found', 'not_found', 'not_found', 'not_found'],
  ['410', () => faults.status(410), 'gone', 'gone', 'gone', 'gone'],
  ['403', () => faults.status(403), 'forbidden', 'forbidden', 'forbidden', 'forbidden'],
  ['401', () => faults.status(401), 'unauthorized', 'forbidden', 'unauthorized', 'unauthorized'],
  [
    'a status that is no answer',
    () => faults.status(204, {}, null),
    'origin_protocol',
    'origin_protocol',
    'stale',
    'origin_protocol',
  ],
  ['a short body', () => faults.short(10), 'origin_unavailable', 'origin_unavailable', 'revalidated', 'revalidated'],
  [
    'a wrong Content-Range',
    () => faults.shifted(3),
    'origin_protocol',
    'origin_protocol',
    'revalidated',
    'revalidated',
  ],
  ['200 for a range', () => faults.ignoreRange(), 'miss', 'memory', 'revalidated', 'revalidated'],
  ['gzip', () => faults.gzip(), 'origin_protocol', 'origin_protocol', 'revalidated', 'revalidated'],
  ['multipart', () => faults.multipart(), 'origin_protocol', 'origin_protocol', 'revalidated', 'revalidated'],
  ['chunked', () => faults.chunked(), 'miss', 'memory', 'revalidated', 'revalidated'],
  ['a weak validator', () => faults.weakEtag(), 'miss', 'object_changed', 'revalidated', 'revalidated'],
  [
    'another validator each time',
    faults.etagPerRequest,
    'object_changed',
    'object_changed',
    'object_changed',
    'object_changed',
  ],
  [
    'a redirect loop',
    () => faults.redirect('/film.mp4'),
    'origin_protocol',
    'origin_protocol',
    'stale',
    'origin_protocol',
  ],
  [
    'a redirect to a foreign host',
    () => faults.redirect('http://elsewhere.example/film.mp4'),
    'origin_protocol',
    'origin_protocol',
    'stale',
    'origin_protocol',
  ],
  ['a huge field', () => faults.hugeHeader(100_000), 'origin_protocol', 'origin_protocol', 'stale', 'origin_protocol'],
  [
    'no HTTP at all',
    () => faults.rawHead('SSH-2.0-OpenSSH\r\n\r\n'),
    'origin_protocol',
    'origin_protocol',
    'stale',
    'origin_protocol',
  ],
];

describe('the catalog over an origin that fails', { concurrency: 6 }, () => {
  for (const [name, fault, ...expected] of ROWS) {
    PHASES.forEach((phase, index) => {
      it(`${name}, ${phase}: ${expected[index]}`, async () => {
        const server = await FaultOrigin.start();
        const timeouts = { connect: 5000, firstByte: 500, stall: 500 };
        const breaker = { failures: 1e6, cooldown: 1, maxCooldown: 1 };
        const origin = httpOrigin([server.url], { name: 'main', timeouts, retries: 1, breaker });
        try {
          await check(server, origin, fault(), phase, expected[index]!);
        } finally {
          await origin.close();
          await server.close();
        }
      });
    });
  }
});

async function check(
  server: FaultOrigin,
  origin: HttpOrigin,
  fault: Fault,
  phase: Phase,
  expected: string,
): Promise<void> {
  const tier = new SlabTier({ blocks: 64, fillShare: 0.9 });
  const worker = new CatalogBench(origin, { tier, now: Date.now, freshness: UNREMEMBERED }).worker();
  server.put(FILM, { size: SIZE, headers: { 'Cache-Control': cacheControl(phase) } });
  if (phase === 'middle') await worker.watch(FILM, { end: 2 * BLOCK_SIZE });
  if (phase.startsWith('revalidation')) await worker.watch(FILM);
  const laid = server.fault(fault, { path: FILM });
  assert.equal(await outcomeOf(worker), expected);
  laid.remove();
  server.release();
  // After a failure nobody waits for the next try: it is made while the next player gets the stale film, too.
  if (expected === 'stale') {
    const requests = server.requests.length;
    assert.equal(await outcomeOf(worker), 'stale');
    await server.requested(requests + 1);
    while (worker.catalog.stats.confirmed === 0) await new Promise(resolve => setImmediate(resolve));
  }
  // Whatever the first one met, the next one gets the whole film, and nothing wrong has stayed.
  const next = await outcomeOf(worker);
  assert.ok(['miss', 'collapsed', 'memory', 'revalidated'].includes(next), next);
  for (let turn = 0; turn < 100 && tier.stats.filling > 0; turn++) await new Promise(resolve => setImmediate(resolve));
  assert.equal(tier.stats.filling, 0);
}

/** Errors are not remembered here, so that the next player need not wait. */
const UNREMEMBERED: FreshnessOptions = { ...FRESHNESS, errorTtl: 0, notFoundTtl: 0 };

function cacheControl(phase: Phase): string {
  if (phase === 'revalidation') return 'max-age=0';
  return phase === 'revalidation without replacement' ? 'max-age=0, must-revalidate' : 'max-age=600';
}

/** Every byte is checked by `watch`; a wrong one is an error without a code. */
async function outcomeOf(worker: Worker): Promise<string> {
  try {
    return (await worker.watch(FILM)).firstOutcome;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  }
}
