import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE, blockLength } from '../../../../src/base/block.js';
import type { DiskTier } from '../../../../src/cache/disk/disk-tier.js';
import { BlockLoader } from '../../../../src/cache/fetch/block-loader.js';
import { ObjectLoader } from '../../../../src/cache/fetch/object-loader.js';
import { CachedReader } from '../../../../src/cache/read/reader.js';
import { ReaderSource } from '../../../../src/cache/read/reader-source.js';
import { contentAt } from '../../../support/content.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { type FakeFault, FakeOrigin } from '../../../support/fake-origin.js';
import { verifyAll } from '../../../support/read-all.js';
import { SlabTier } from '../../../support/slab-tier.js';
import { FILM, sourceFilm } from '../../../support/source-film.js';

const BLOCKS = 14;
const SIZE = BLOCKS * BLOCK_SIZE - 12_345;

/** Where a block is at first. */
const place = fc.constantFrom('memory', 'disk', 'damaged', 'half', 'nowhere');
const read = fc.record({
  worker: fc.integer({ min: 0, max: 1 }),
  start: fc.integer({ min: 0, max: SIZE - 1 }),
  length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: SIZE })),
  /** Reads that begin when the ones before have ended. */
  after: fc.boolean(),
  kind: fc.constantFrom('reader', 'open end', 'source'),
});

function setUp(places: readonly string[], tierBlocks: number, fillShare: number) {
  const origin = new FakeOrigin();
  origin.put(FILM, { size: SIZE });
  const tier = new SlabTier({ blocks: tierBlocks, fillShare });
  tier.worthRoom = places[0] !== 'disk';
  const described = sourceFilm(origin, SIZE, () => assert.fail('nothing changed'));
  const { id } = described;
  const bytesOf = (block: number) =>
    contentAt(FILM, 'v1', block * BLOCK_SIZE, block * BLOCK_SIZE + blockLength(SIZE, block));
  places.forEach((where, block) => {
    if (where !== 'memory' && where !== 'half') return;
    const bytes = bytesOf(block);
    const fill = tier.claim(id, block, bytes.length);
    if (typeof fill === 'string') return;
    fill.append(where === 'memory' ? bytes : bytes.subarray(0, 128 * 1024));
    fill.abandon();
  });
  const loaded = new Set<number>();
  const disk: DiskTier = {
    has: (_, block) => places[block] === 'disk' || places[block] === 'damaged',
    // Every other block can be had without waiting.
    held: (_, block) => (loaded.has(block) ? bytesOf(block) : undefined),
    read: (_, block) => (places[block] === 'disk' && block % 2 === 0 ? bytesOf(block) : undefined),
    done: (_, block) => void loaded.delete(block),
    ahead: (_, block) => block % 3 > 0,
    load: (_, block, __, done) =>
      void setImmediate(() => done(places[block] === 'disk' && loaded.add(block) !== undefined)),
    close() {},
  };
  const loaders = [0, 1].map(
    () =>
      new BlockLoader({
        ...DEFAULTS.blockLoader,
        tier,
        disk,
        readAhead: { min: 2 * BLOCK_SIZE, max: 4 * BLOCK_SIZE, time: Infinity },
        maxRun: 6 * BLOCK_SIZE,
      }),
  );
  const workers = loaders.map(loader => new ObjectLoader(loader, described));
  return { origin, tier, workers };
}

type World = ReturnType<typeof setUp>;
type Read = { worker: number; start: number; length: number; after: boolean; kind: string };

async function perform(world: World, reads: readonly Read[]): Promise<PromiseSettledResult<void>[]> {
  const results: PromiseSettledResult<void>[] = [];
  let running: Promise<void>[] = [];
  for (const { worker, start, length, after, kind } of reads) {
    if (after) results.push(...(await Promise.allSettled(running.splice(0))));
    const object = world.workers[worker]!;
    const end = Math.min(SIZE, start + length);
    running.push(
      kind === 'source'
        ? readSource(object, start, end)
        : readWith(object, start, end, kind === 'open end' ? SIZE : end),
    );
  }
  results.push(...(await Promise.allSettled(running)));
  running = [];
  // Loads ahead of need end within a turn.
  await new Promise(resolve => setImmediate(resolve));
  await world.origin.until(() => world.origin.requests.every(request => request.done || request.cancelled));
  return results;
}

async function readWith(object: World['workers'][number], start: number, end: number, meansTo: number): Promise<void> {
  const reader = new CachedReader(object);
  try {
    await verifyAll(reader, start, end, { path: FILM, to: meansTo });
  } finally {
    reader.close();
  }
}

async function readSource(object: World['workers'][number], start: number, end: number): Promise<void> {
  const to = Math.min(end, start + 1024 * 1024);
  const bytes = await new ReaderSource(object).read(start, to - start);
  assert.ok(Buffer.from(bytes).equals(contentAt(FILM, 'v1', start, to)));
}

describe('any reads over any pattern of cached and missing blocks', () => {
  it('give the content, and fetch each byte at most once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { minLength: BLOCKS, maxLength: BLOCKS }),
        fc.array(read, { minLength: 1, maxLength: 8 }),
        async (places, reads) => {
          const world = setUp(places, 64, 1);
          for (const result of await perform(world, reads)) if (result.status === 'rejected') throw result.reason;
          world.origin.timesSent(FILM).forEach((times, block) => {
            assert.ok(times <= 1, `block ${block} was sent ${times} times`);
            if (places[block] === 'memory' || places[block] === 'disk')
              assert.equal(times, 0, `block ${block} was cached`);
          });
          assert.equal(world.tier.stats.filling, 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('give the content when memory is short and the origin fails now and then', async () => {
    const fault: fc.Arbitrary<FakeFault> = fc.oneof(
      fc.record({ failAfter: fc.integer({ min: 0, max: 600_000 }) }),
      fc.record({ endAfter: fc.integer({ min: 0, max: 600_000 }) }),
      fc.constant({ ignoreRange: true }),
      fc.constant({ extra: 5 }),
      fc.constant({}),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { minLength: BLOCKS, maxLength: BLOCKS }),
        fc.array(read, { minLength: 1, maxLength: 8 }),
        fault,
        fc.integer({ min: 4, max: 10 }),
        async (places, reads, every, blocks) => {
          const world = setUp(places, blocks, 0.3);
          world.origin.next = every;
          const verdicts = await perform(world, reads);
          const wrong = verdicts.filter(
            verdict => verdict.status === 'rejected' && !String(verdict.reason.code).startsWith('origin_'),
          );
          assert.deepEqual(wrong, []);
          assert.equal(world.tier.stats.filling, 0);
          assert.ok(world.origin.requests.every(request => request.done || request.cancelled));
        },
      ),
      { numRuns: 60 },
    );
  });
});
