import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { HttpOrigin } from '../../../src/origin/http/http-origin.js';
import { type Fault, FaultOrigin, faults, type PutOptions } from '../../support/fault-origin.js';
import { httpOrigin, PATIENT } from '../../support/http-origin.js';
import { fetchInto, type RecordingSink } from '../../support/recording-sink.js';
import { assertSoon } from '../../support/stopwatch.js';

const SIZE = 8_000_000;
let server: FaultOrigin;
const origins: HttpOrigin[] = [];

before(async () => {
  server = await FaultOrigin.start();
  server.put('/next', { size: 1000 });
});
after(async () => {
  await Promise.all(origins.map(origin => origin.close()));
  await server.close();
});

/** A fetch whose reader takes nothing after the first bytes, on an origin with one place. */
async function stalled(
  path: string,
  ranged: boolean,
  keep = false,
): Promise<{ origin: HttpOrigin; sink: RecordingSink }> {
  const origin = httpOrigin([server.url], { maxFetches: 1 });
  origins.push(origin);
  const range = ranged ? { start: 100, end: SIZE } : undefined;
  let came!: () => void;
  const first = new Promise<void>(resolve => {
    came = resolve;
  });
  const sink = fetchInto(
    origin,
    { path, range },
    {
      keep,
      onEvent: (s, kind) => {
        if (kind !== 'bytes') return;
        s.fetch.pause();
        came();
      },
    },
  );
  await first;
  return { origin, sink };
}

interface Case {
  readonly name: string;
  readonly put?: Partial<PutOptions>;
  readonly faults?: readonly Fault[];
  readonly ranged?: boolean;
}

const RESUMABLE: readonly Case[] = [
  { name: 'ranges and a strong tag', ranged: true },
  { name: 'a weak tag and a date', faults: [faults.weakEtag()], ranged: true },
  { name: 'a date only', put: { etag: null }, ranged: true },
  { name: 'no ranges, a whole body', faults: [faults.ignoreRange()], ranged: true },
  { name: 'no ranges, no preconditions', faults: [faults.ignoreRange(), faults.ignoreConditions()], ranged: true },
  { name: 'a body asked for whole' },
  { name: 'nothing but the bytes to tell versions by', put: { etag: null, lastModified: null }, ranged: true },
  { name: 'no length', faults: [faults.ignoreRange(), faults.chunked()] },
];

describe('a fetch whose reader stalls gives its place to one that waits', { concurrency: true }, () => {
  for (const [index, { name, put, faults: laid = [], ranged = false }] of RESUMABLE.entries()) {
    test(`${name}: goes on where it stood`, async () => {
      const path = `/resumed-${index}`;
      server.put(path, { size: SIZE, ...put });
      for (const fault of laid) server.fault(fault, { path });
      const { origin, sink } = await stalled(path, ranged);
      const began = performance.now();
      assert.equal(await fetchInto(origin, { path: '/next' }).over, 'ended');
      assertSoon(performance.now() - began, 8000, 'a fetch that has not waited for its own deadline');
      assert.deepEqual([origin.stats.active, origin.stats.yields], [0, 1]);
      sink.onEvent = () => {};
      sink.fetch.resume();
      assert.equal(await sink.over, 'ended');
      assert.equal(sink.bytesSeen, ranged && sink.answer!.status === 206 ? SIZE - 100 : SIZE);
    });
  }

  const ENDING: readonly (Case & { readonly code: string; readonly change?: Partial<PutOptions> })[] = [
    {
      name: 'nothing to tell versions by',
      put: { etag: null, lastModified: null, bytes: Buffer.alloc(SIZE) },
      code: 'overloaded',
    },
    {
      name: 'other bytes when it reads on, and nothing else to tell versions by',
      put: { etag: null, lastModified: null },
      change: { etag: null, lastModified: null },
      code: 'object_changed',
    },
    { name: 'another version when it reads on', ranged: true, change: {}, code: 'object_changed' },
  ];
  for (const [index, { name, put, ranged = false, code, change }] of ENDING.entries()) {
    test(`${name}: ends with ${code}`, async () => {
      const path = `/ended-${index}`;
      server.put(path, { size: SIZE, ...put });
      const { origin, sink } = await stalled(path, ranged, put?.bytes !== undefined);
      assert.equal(await fetchInto(origin, { path: '/next' }).over, 'ended');
      if (change) server.put(path, { size: SIZE, version: 'v2', ...change });
      sink.onEvent = () => {};
      sink.fetch.resume();
      assert.equal(await sink.over, code);
      assert.equal(origin.stats.active, 0);
    });
  }

  test('nobody waits: it keeps its place; a cancelled one frees nothing twice', async () => {
    server.put('/alone', { size: SIZE });
    const { origin, sink } = await stalled('/alone', true);
    await new Promise(resolve => setTimeout(resolve, 1500));
    assert.deepEqual([origin.stats.active, origin.stats.yields], [1, 0]);
    assert.equal(await fetchInto(origin, { path: '/next' }).over, 'ended');
    sink.cancel();
    assert.equal(origin.stats.active, 0);
    assert.equal(await fetchInto(origin, { path: '/next' }).over, 'ended');
    assert.equal(origin.stats.active, 0);
  });

  test('more stalled readers than places, all read on: each comes to its end', async () => {
    server.put('/many', { size: 3_000_000 });
    // Those who wait for a place do so for as long as for a byte.
    const origin = httpOrigin([server.url], { maxFetches: 2, timeouts: { ...PATIENT, firstByte: 120_000 } });
    origins.push(origin);
    const pauseOnce = () => {
      let paused = false;
      return (sink: RecordingSink, kind: string) => {
        if (kind !== 'bytes' || paused) return;
        paused = true;
        sink.fetch.pause();
        setTimeout(() => sink.fetch.resume(), 2500);
      };
    };
    const sinks = Array.from({ length: 6 }, () => fetchInto(origin, { path: '/many' }, { onEvent: pauseOnce() }));
    assert.deepEqual(await Promise.all(sinks.map(sink => sink.over)), Array(6).fill('ended'));
    assert.deepEqual([origin.stats.active, origin.stats.queued], [0, 0]);
  });
});
