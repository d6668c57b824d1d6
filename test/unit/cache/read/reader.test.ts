import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLOCK_SIZE, type ObjectId } from '../../../../src/base/block.js';
import { EdgeError } from '../../../../src/base/errors.js';
import type { DiskTier } from '../../../../src/cache/disk/disk-tier.js';
import { BlockLoader, type BlockLoaderOptions } from '../../../../src/cache/fetch/block-loader.js';
import { ObjectLoader } from '../../../../src/cache/fetch/object-loader.js';
import type { SourceObject } from '../../../../src/cache/fetch/source-object.js';
import { CachedReader } from '../../../../src/cache/read/reader.js';
import { contentAt } from '../../../support/content.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { FakeOrigin } from '../../../support/fake-origin.js';
import { readAll, verifyAll } from '../../../support/read-all.js';
import { SlabTier } from '../../../support/slab-tier.js';
import { FILM, sourceFilm } from '../../../support/source-film.js';

const KIB = 1024;

interface Bench {
  origin: FakeOrigin;
  tier: SlabTier;
  loader: BlockLoader;
  size: number;
  described: SourceObject;
  changes: number;
}

function bench(
  blocks: number,
  options: Partial<BlockLoaderOptions> & {
    tierBlocks?: number;
    fillShare?: number;
    origin?: FakeOrigin;
    tier?: SlabTier;
  } = {},
): Bench {
  const size = blocks * BLOCK_SIZE - 1000;
  const origin = options.origin ?? new FakeOrigin();
  origin.put(FILM, { size });
  const tier = options.tier ?? new SlabTier({ blocks: options.tierBlocks ?? 256, fillShare: options.fillShare ?? 0.5 });
  const loader = new BlockLoader({
    ...DEFAULTS.blockLoader,
    readAhead: { min: 2 * BLOCK_SIZE, max: 8 * BLOCK_SIZE, time: Infinity },
    ...options,
    tier,
  });
  const result: Bench = {
    origin,
    tier,
    loader,
    size,
    changes: 0,
    described: sourceFilm(origin, size, () => {
      result.changes++;
    }),
  };
  return result;
}

/** Puts blocks of the film into the memory tier. */
function preload(b: Bench, blocks: Iterable<number>): void {
  for (const block of blocks) {
    const bytes = contentAt(FILM, 'v1', block * BLOCK_SIZE, Math.min((block + 1) * BLOCK_SIZE, b.size));
    const fill = b.tier.claim(b.described.id, block, bytes.length);
    assert.ok(typeof fill === 'object');
    fill.append(bytes);
  }
}

describe('CachedReader', () => {
  it('brings a range of missing blocks by one origin request, conditional on the version', async () => {
    const b = bench(10);
    const object = new ObjectLoader(b.loader, b.described);
    const reader = new CachedReader(object);
    await verifyAll(reader, 100, 200, { path: FILM, to: 9 * BLOCK_SIZE });
    assert.equal(reader.outcome, 'miss');
    await verifyAll(reader, 200, 9 * BLOCK_SIZE, { path: FILM });
    assert.equal(b.origin.requests.length, 1);
    assert.deepEqual(b.origin.requests[0]?.range, { start: 0, end: 9 * BLOCK_SIZE });
    assert.deepEqual(b.origin.requests[0]?.condition, { kind: 'same', validator: b.described.validator });
    reader.close();
    const again = new CachedReader(object);
    await verifyAll(again, 100, 9 * BLOCK_SIZE, { path: FILM });
    assert.equal(again.outcome, 'memory');
    assert.equal(b.origin.requests.length, 1);
    assert.equal(b.loader.stats.memoryLookups, 9);
  });

  it('tells the tier where it leaves, but not when it has read what it asked for and the object goes on', async () => {
    const b = bench(6);
    const read = async (from: number, to: number, end: number) => {
      const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
      const [last, wanted] = [to, end].map(block => Math.min(b.size, block * BLOCK_SIZE));
      await verifyAll(reader, from * BLOCK_SIZE, last!, { path: FILM, to: wanted! });
      reader.close();
      reader.close();
    };
    await read(0, 3, 3);
    assert.deepEqual(b.tier.left, [], 'the next range of the same player');
    assert.deepEqual(b.tier.finished, [2], 'which goes on behind this block');
    await read(0, 1.5, 1.5);
    assert.deepEqual(b.tier.finished, [2], 'which goes on in the same block');
    await read(1, 3, 6);
    assert.deepEqual(b.tier.left, [2], 'closed on the way');
    await read(4, 6, 6);
    assert.deepEqual(b.tier.left, [2, 5], 'at the end of the object');
    new CachedReader(new ObjectLoader(b.loader, b.described)).close();
    assert.deepEqual(b.tier.left, [2, 5], 'it was nowhere');
    assert.deepEqual(b.tier.finished, [2]);
  });

  it('puts pieces of several blocks together, and counts each block once', () => {
    const b = bench(6);
    preload(b, [0, 1, 2]);
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    const pieces = {
      offsets: Float64Array.from([0, 1, 2, 3], block => block * BLOCK_SIZE + 100),
      begins: Float64Array.of(0, 10, 20, 30, 40),
    };
    const end = 3 * BLOCK_SIZE + 110;
    const target = new Uint8Array(40);
    assert.equal(reader.gather(pieces, 4, end, target), 26);
    const expected = [0, 1, 2].map(block => contentAt(FILM, 'v1', block * BLOCK_SIZE + 100, block * BLOCK_SIZE + 110));
    assert.deepEqual(Buffer.from(target.subarray(0, 26)), Buffer.concat(expected).subarray(4));
    assert.equal(reader.outcome, 'memory');
    assert.equal(b.loader.stats.memoryLookups, 3);
    assert.equal(reader.gather(pieces, 30, end, target), 0);
    assert.equal(reader.read(3 * BLOCK_SIZE + 100, end), undefined);
    // A block that is read on is not looked up again.
    assert.equal(reader.gather(pieces, 25, end, target), 5);
    assert.equal(b.loader.stats.memoryLookups, 3);
    reader.close();
  });

  it('gives bytes as they arrive, not when the block is whole', async () => {
    const b = bench(2);
    b.origin.chunk = 10_000;
    const sizes: number[] = [];
    await readAll(
      new CachedReader(new ObjectLoader(b.loader, b.described)),
      0,
      BLOCK_SIZE,
      bytes => void sizes.push(bytes.length),
    );
    assert.ok(sizes.length > 20, `${sizes.length} pieces`);
  });

  it('asks only for the gap between cached blocks', async () => {
    const b = bench(10);
    preload(b, [0, 1, 2, 6, 7, 8, 9]);
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 0, b.size - 1, { path: FILM });
    assert.deepEqual(
      b.origin.requests.map(request => request.range),
      [{ start: 3 * BLOCK_SIZE, end: 6 * BLOCK_SIZE }],
    );
  });

  it('fetches each block once for 500 readers that come at once', async () => {
    const b = bench(12);
    const object = new ObjectLoader(b.loader, b.described);
    const readers = Array.from({ length: 500 }, () => new CachedReader(object));
    await Promise.all(readers.map(reader => verifyAll(reader, 0, 3 * BLOCK_SIZE, { path: FILM })));
    for (const reader of readers) reader.close();
    assert.deepEqual(b.origin.timesSent(FILM).slice(0, 4), [1, 1, 1, 0]);
    assert.equal(b.origin.requests.length, 1);
  });

  it('fetches each block once for readers of two processes', async () => {
    const b = bench(12);
    const other = new BlockLoader({
      ...DEFAULTS.blockLoader,
      tier: b.tier,
      readAhead: { min: 2 * BLOCK_SIZE, max: 8 * BLOCK_SIZE, time: Infinity },
    });
    const objects = [new ObjectLoader(b.loader, b.described), new ObjectLoader(other, b.described)];
    const readers = Array.from({ length: 40 }, (_, i) => new CachedReader(objects[i % 2]!));
    await Promise.all(readers.map(reader => verifyAll(reader, 0, b.size, { path: FILM })));
    assert.deepEqual(b.origin.timesSent(FILM), new Array(12).fill(1));
    // The two don't snatch block after block from each other, with a request for each.
    assert.ok(b.origin.requests.length <= 5, `${b.origin.requests.length} requests`);
  });

  it('reads on in ever larger requests when the end is open, each asked for before the last has ended', async () => {
    const b = bench(60);
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 0, b.size, { path: FILM });
    assert.deepEqual(b.origin.timesSent(FILM), new Array(60).fill(1));
    const lengths = b.origin.requests.map(({ range }) => Math.round((range!.end - range!.start) / BLOCK_SIZE));
    assert.equal(lengths[0], 2);
    assert.ok(Math.max(...lengths) >= 4 && lengths.length <= 17, lengths.join());
  });

  it('fetches no further than the read-ahead of a reader that stops reading', async () => {
    const b = bench(60);
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    await verifyAll(reader, 0, BLOCK_SIZE + 1, { path: FILM, to: b.size });
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.ok(b.origin.bytesSent <= 5 * BLOCK_SIZE, `${b.origin.bytesSent / BLOCK_SIZE} blocks`);
    reader.close();
  });

  it('stops a fill after the block at hand when its reader pauses', async () => {
    const b = bench(60, { pauseAfter: 0 });
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    await verifyAll(reader, 0, 10, { path: FILM, to: b.size });
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.deepEqual(b.origin.timesSent(FILM).slice(0, 3), [1, 0, 0]);
    assert.equal(b.loader.stats.stoppedRuns, 1);
    reader.close();
  });

  it('fetches no more ahead of a slow reader than it will read in a while', async () => {
    const b = bench(60, { readAhead: { min: BLOCK_SIZE, max: 32 * BLOCK_SIZE, time: 10 } });
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    for (let block = 0; block < 12; block++) {
      await verifyAll(reader, block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE, { path: FILM, to: b.size });
      // At this pace, ten milliseconds are less than a block.
      await new Promise(resolve => setTimeout(resolve, 15));
    }
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.ok(b.origin.bytesSent <= 14 * BLOCK_SIZE, `${b.origin.bytesSent / BLOCK_SIZE} blocks`);
    reader.close();
  });

  it('stops a fill after the block at hand when its reader leaves', async () => {
    const b = bench(30);
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    await verifyAll(reader, 0, BLOCK_SIZE + 10, { path: FILM, to: 29 * BLOCK_SIZE });
    reader.close();
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.deepEqual(b.origin.timesSent(FILM).slice(0, 3), [1, 1, 0]);
    assert.equal(b.tier.stats.filling, 0);
    assert.equal(b.loader.stats.stoppedRuns, 1);
  });

  it('goes on for a second reader when the first leaves', async () => {
    const b = bench(10);
    const object = new ObjectLoader(b.loader, b.described);
    const first = new CachedReader(object);
    const second = new CachedReader(object);
    const done = verifyAll(second, 0, 9 * BLOCK_SIZE, { path: FILM });
    await verifyAll(first, 0, BLOCK_SIZE, { path: FILM, to: 9 * BLOCK_SIZE });
    first.close();
    await done;
    assert.equal(b.origin.requests.length, 1);
  });

  it('sends a far seek its own request and cuts the earlier one short there', async () => {
    const b = bench(40);
    const object = new ObjectLoader(b.loader, b.described);
    b.origin.chunk = 16 * KIB;
    const [early, late] = [new CachedReader(object), new CachedReader(object)];
    const whole = verifyAll(early, 0, 39 * BLOCK_SIZE, { path: FILM });
    await b.origin.until(() => b.origin.bytesSent > BLOCK_SIZE);
    await verifyAll(late, 20 * BLOCK_SIZE, 30 * BLOCK_SIZE, { path: FILM });
    await whole;
    assert.deepEqual(b.origin.timesSent(FILM).slice(0, 39), new Array(39).fill(1));
  });

  it('takes over a fill where another filler gave up', async () => {
    const b = bench(3);
    const fill = b.tier.claim(b.described.id, 0, BLOCK_SIZE);
    assert.ok(typeof fill === 'object');
    fill.append(contentAt(FILM, 'v1', 0, 100_000));
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    const done = verifyAll(reader, 0, 2 * BLOCK_SIZE, { path: FILM });
    await new Promise(resolve => setImmediate(resolve));
    assert.equal(b.origin.requests.length, 0);
    fill.abandon();
    await done;
    assert.deepEqual(b.origin.requests[0]?.range, { start: 100_000, end: 2 * BLOCK_SIZE });
    assert.equal(b.loader.stats.takeovers, 1);
  });

  it('streams past the cache when a filler of another process stalls', async () => {
    const b = bench(3, { tier: new SlabTier({ blocks: 16, fillShare: 1, followTimeout: 20 }) });
    const fill = b.tier.claim(b.described.id, 0, BLOCK_SIZE);
    assert.ok(typeof fill === 'object');
    fill.append(contentAt(FILM, 'v1', 0, 1000));
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    const awake = setTimeout(() => {}, 120_000);
    await verifyAll(reader, 0, b.size, { path: FILM });
    clearTimeout(awake);
    assert.equal(b.loader.stats.bypassStreams, 1);
    fill.abandon();
    b.tier.close();
  });

  it('streams past the cache when there is no room for fills, holding one chunk', async () => {
    const b = bench(20, { tierBlocks: 4, fillShare: 0.25 });
    const blocker = b.tier.claim(new Uint32Array([9, 9, 9, 9]) as ObjectId, 0, BLOCK_SIZE);
    assert.ok(typeof blocker === 'object');
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    let pieces = 0;
    await new Promise<void>((resolve, reject) => {
      let at = 5;
      const step = () => {
        const bytes = reader.read(at, b.size);
        if (bytes === undefined) {
          reader.want(at, b.size, { readable: () => setImmediate(step), failed: reject });
          return;
        }
        assert.deepEqual(bytes, new Uint8Array(contentAt(FILM, 'v1', at, at + bytes.length)));
        assert.equal(reader.outcome, 'bypass');
        at += bytes.length;
        reader.release();
        pieces++;
        assert.ok(b.origin.bytesSent - at <= b.origin.chunk, 'the stream ran ahead of its reader');
        if (at === b.size) resolve();
        else setImmediate(step);
      };
      step();
    });
    assert.ok(pieces > 20);
    assert.equal(b.loader.stats.bypassStreams, 1);
    reader.close();
    blocker.abandon();
  });

  it('does not turn a crowd that finds no room into as many requests', async () => {
    const b = bench(4, { tierBlocks: 4, fillShare: 0.25 });
    const blocker = b.tier.claim(new Uint32Array([9, 9, 9, 9]) as ObjectId, 0, BLOCK_SIZE);
    assert.ok(typeof blocker === 'object');
    const object = new ObjectLoader(b.loader, b.described);
    const readers = Array.from({ length: 100 }, () => new CachedReader(object));
    const all = readers.map(reader => verifyAll(reader, 0, b.size, { path: FILM }));
    assert.equal(b.origin.requests.length, 32);
    await Promise.race(all);
    blocker.abandon();
    await Promise.all(all);
    for (const reader of readers) reader.close();
    assert.ok(b.origin.requests.length < 50, `${b.origin.requests.length}`);
  });

  it('comes back to the cache at the end of a stream past it', async () => {
    const b = bench(12, { tierBlocks: 4, fillShare: 0.25, maxRun: 4 * BLOCK_SIZE });
    const blocker = b.tier.claim(new Uint32Array([9, 9, 9, 9]) as ObjectId, 0, BLOCK_SIZE);
    assert.ok(typeof blocker === 'object');
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    await verifyAll(reader, 0, 1000, { path: FILM, to: b.size });
    blocker.abandon();
    await verifyAll(reader, 1000, b.size, { path: FILM });
    assert.equal(b.loader.stats.bypassStreams, 1);
    assert.ok(b.tier.has(b.described.id, 11));
    assert.deepEqual(b.origin.timesSent(FILM), new Array(12).fill(1));
  });

  it('answers no sooner than the next turn from want, and once', async () => {
    const b = bench(2);
    preload(b, [0]);
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    const told: string[] = [];
    const listener = (name: string) => ({ readable: () => void told.push(name), failed: assert.fail });
    reader.want(10, 20, listener('first'));
    assert.deepEqual(told, []);
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual(told, ['first']);
    reader.want(10, 20, listener('replaced'));
    reader.want(11, 20, listener('second'));
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual(told, ['first', 'second']);
    reader.want(10, 20, listener('closed'));
    reader.close();
    reader.close();
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual(told, ['first', 'second']);
  });
});

describe('an origin that ignores ranges', () => {
  it('has the blocks before the wanted one filled too, by one request', async () => {
    const b = bench(8);
    b.origin.every = { ignoreRange: true };
    const object = new ObjectLoader(b.loader, b.described);
    await verifyAll(new CachedReader(object), 5 * BLOCK_SIZE + 7, 6 * BLOCK_SIZE, { path: FILM });
    await verifyAll(new CachedReader(object), 0, 5 * BLOCK_SIZE, { path: FILM });
    assert.equal(b.origin.requests.length, 1);
    assert.equal(b.tier.stats.filling, 0);
  });

  it('has the first blocks filled by a body that goes on', async () => {
    const b = bench(8);
    b.origin.every = { ignoreRange: true };
    const object = new ObjectLoader(b.loader, b.described);
    await verifyAll(new CachedReader(object), 0, BLOCK_SIZE + 5, { path: FILM });
    await b.origin.until(() => b.origin.requests.every(request => request.done || request.cancelled));
    assert.deepEqual(b.origin.timesSent(FILM), [1, 1, 0, 0, 0, 0, 0, 0]);
    await verifyAll(new CachedReader(object), 0, b.size, { path: FILM });
  });

  it('streams past the cache from the wanted byte on', async () => {
    const b = bench(8, { tierBlocks: 4, fillShare: 0.25 });
    const blocker = b.tier.claim(new Uint32Array([9, 9, 9, 9]) as ObjectId, 0, BLOCK_SIZE);
    assert.ok(typeof blocker === 'object');
    b.origin.every = { ignoreRange: true };
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 3 * BLOCK_SIZE + 5, 7 * BLOCK_SIZE, {
      path: FILM,
    });
    assert.equal(b.origin.requests.length, 1);
    blocker.abandon();
  });
});

describe('an origin that sends less of a range than was asked for', () => {
  it('is asked for the rest', async () => {
    const b = bench(3);
    b.origin.every = { head: { length: 100_000 }, endAfter: 100_000 };
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 0, b.size, { path: FILM });
    assert.ok(b.origin.requests.length <= 10, `${b.origin.requests.length} requests`);
    assert.equal(b.loader.stats.failedRuns, 0);
  });
});

describe('disk', () => {
  class FakeDisk implements DiskTier {
    loads: number[] = [];
    ahead = (_id: ObjectId, block: number) => this.brought.push(block) > 0;
    readonly brought: number[] = [];
    readonly reads: number[] = [];
    readonly done = (_id: ObjectId, block: number) => void this.loaded.delete(block);
    broken = new Set<number>();
    /** Blocks that need not be waited for. */
    near = new Set<number>();
    private readonly loaded = new Map<number, Uint8Array>();
    constructor(
      readonly blocks: Set<number>,
      readonly size: number,
    ) {}
    has(_id: ObjectId, block: number): boolean {
      return this.blocks.has(block);
    }
    held(_id: ObjectId, block: number): Uint8Array | undefined {
      return this.loaded.get(block);
    }
    read(_id: ObjectId, block: number, length: number): Uint8Array | undefined {
      if (!this.near.has(block) || this.broken.has(block)) return undefined;
      this.reads.push(block);
      return this.#put(block, length);
    }
    load(_id: ObjectId, block: number, length: number, done: (found: boolean) => void): void {
      this.loads.push(block);
      setImmediate(() => done(!this.broken.has(block) && this.#put(block, length) !== undefined));
    }
    /** Overwrites the buffer of another block, of which there are few. */
    #put(block: number, length: number): Uint8Array {
      for (const [other, bytes] of this.loaded) {
        if (this.loaded.size < 4) break;
        bytes.fill(0);
        this.loaded.delete(other);
      }
      const start = block * BLOCK_SIZE;
      const bytes = contentAt(FILM, 'v1', start, start + length);
      this.loaded.set(block, bytes);
      return bytes;
    }
    close(): void {}
  }

  it('loads blocks into memory, ahead of the reader, each once', async () => {
    const disk = new FakeDisk(new Set(Array(20).keys()), 20);
    const b = bench(20, { disk });
    const object = new ObjectLoader(b.loader, b.described);
    const readers = Array.from({ length: 5 }, () => new CachedReader(object));
    await Promise.all(readers.map(reader => verifyAll(reader, 0, b.size, { path: FILM })));
    assert.deepEqual(
      disk.loads.toSorted((x, y) => x - y),
      [...Array(20).keys()],
    );
    assert.equal(b.origin.requests.length, 0);
    assert.ok(b.loader.stats.diskLookups > 0);
    const first = new CachedReader(object);
    await verifyAll(first, 0, 10, { path: FILM });
    assert.equal(first.outcome, 'memory');
  });

  it('sends what is not worth room in memory from disk, each block read once', async () => {
    const disk = new FakeDisk(new Set(Array(9).keys()), 9);
    for (let block = 0; block < 9; block++) disk.near.add(block);
    const b = bench(9, { disk });
    b.tier.worthRoom = false;
    const object = new ObjectLoader(b.loader, b.described);
    for (let time = 1; time <= 2; time++) {
      const reader = new CachedReader(object);
      await verifyAll(reader, 0, b.size, { path: FILM });
      assert.equal(reader.outcome, 'disk');
      reader.close();
      assert.equal(disk.reads.length, 9 * time);
    }
    assert.deepEqual(disk.loads, [], 'nothing waits for what is at hand');
    assert.ok(disk.brought.length > 0, 'the disk is told what comes next');
    assert.equal(b.tier.has(b.described.id, 4), false);
    assert.equal(b.loader.stats.diskLookups, 18);
  });

  it('keeps a block in memory of which it sends a part, or goes on with after its buffer was used for another', async () => {
    const disk = new FakeDisk(new Set(Array(9).keys()), 9);
    for (let block = 0; block < 9; block++) disk.near.add(block);
    const b = bench(9, { disk });
    b.tier.worthRoom = false;
    const object = new ObjectLoader(b.loader, b.described);
    await verifyAll(new CachedReader(object), 10, 20, { path: FILM });
    assert.ok(b.tier.has(b.described.id, 0));
    const slow = new CachedReader(object);
    const at = 2 * BLOCK_SIZE;
    assert.ok(slow.read(at, b.size));
    assert.ok(slow.read(at + 100_000, b.size));
    assert.deepEqual(disk.reads, [0, 2], 'it lies in its buffer');
    assert.equal(b.tier.has(b.described.id, 2), false);
    for (let block = 3; block < 9; block++) {
      new CachedReader(object).read(block * BLOCK_SIZE, b.size);
    }
    const bytes = slow.read(at + 200_000, b.size);
    assert.deepEqual(Buffer.from(bytes!), contentAt(FILM, 'v1', at + 200_000, at + BLOCK_SIZE));
    assert.ok(b.tier.has(b.described.id, 2));
    slow.close();
  });

  it('says that the block came from disk', async () => {
    const b = bench(3, { disk: new FakeDisk(new Set([0]), 3) });
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    await verifyAll(reader, 0, 10, { path: FILM });
    assert.equal(reader.outcome, 'disk');
  });

  it('falls back to the origin for a block that the disk can not bring', async () => {
    const disk = new FakeDisk(new Set([0, 1, 2, 3]), 4);
    disk.broken.add(1);
    const b = bench(4, { disk });
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 0, b.size, { path: FILM });
    assert.deepEqual(b.origin.timesSent(FILM), [0, 1, 0, 0]);
    assert.equal(b.loader.stats.failedDiskLoads, 1);
  });

  it('reads from disk without room in memory', async () => {
    const disk = new FakeDisk(new Set(Array(6).keys()), 6);
    const b = bench(6, { disk, tierBlocks: 4, fillShare: 0.25 });
    const blocker = b.tier.claim(new Uint32Array([9, 9, 9, 9]) as ObjectId, 0, BLOCK_SIZE);
    assert.ok(typeof blocker === 'object');
    await verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 3, b.size, { path: FILM });
    assert.equal(b.origin.requests.length, 0);
    blocker.abandon();
  });
});

describe('faults', () => {
  const failing = async (promise: Promise<void>, code: string) => {
    await assert.rejects(promise, error => error instanceof EdgeError && error.code === code);
  };

  it('fails every reader that waits on a failing fetch, once', async () => {
    const b = bench(3);
    b.origin.next = { fail: { code: 'origin_unavailable' } };
    const object = new ObjectLoader(b.loader, b.described);
    await Promise.all(
      [1, 2, 3].map(() => failing(verifyAll(new CachedReader(object), 0, 10, { path: FILM }), 'origin_unavailable')),
    );
    assert.equal(b.origin.requests.length, 1);
    assert.equal(b.tier.stats.filling, 0);
    await verifyAll(new CachedReader(object), 0, b.size, { path: FILM });
  });

  it('goes on after a broken fetch where it broke', async () => {
    const b = bench(3);
    b.origin.next = { failAfter: 70_000 };
    const object = new ObjectLoader(b.loader, b.described);
    await failing(verifyAll(new CachedReader(object), 0, b.size - 1, { path: FILM }), 'origin_unavailable');
    await verifyAll(new CachedReader(object), 0, b.size - 1, { path: FILM });
    assert.equal(b.origin.requests[1]?.range?.start, 70_000);
  });

  for (const [name, fault, code] of [
    ['a body that ends early', { endAfter: 70_000 }, 'origin_protocol'],
    ['a body that goes on too long', { extra: 10 }, 'origin_protocol'],
    ['another offset', { head: { offset: 5 } }, 'origin_protocol'],
    ['another size', { head: { size: 77 } }, 'object_changed'],
    ['another validator', { head: { validator: { etag: '"x"', lastModified: undefined } } }, 'object_changed'],
  ] as const) {
    it(`keeps nothing of ${name}`, async () => {
      const b = bench(1);
      b.origin.next = fault;
      const object = new ObjectLoader(b.loader, b.described);
      await failing(verifyAll(new CachedReader(object), 0, b.size, { path: FILM }), code);
      assert.equal(b.tier.acquire(b.described.id, 0), -1);
      assert.equal(b.tier.stats.filling, 0);
      assert.equal(b.changes, code === 'object_changed' ? 1 : 0);
    });
  }

  it('serves what is cached of a version that is gone, and nothing else', async () => {
    const b = bench(6);
    preload(b, [0, 1]);
    b.origin.put(FILM, { size: b.size, version: 'v2' });
    const object = new ObjectLoader(b.loader, b.described);
    const reader = new CachedReader(object);
    await verifyAll(reader, 0, 2 * BLOCK_SIZE, { path: FILM });
    await failing(verifyAll(reader, 2 * BLOCK_SIZE, b.size, { path: FILM }), 'object_changed');
    assert.equal(b.changes, 1);
    await failing(verifyAll(new CachedReader(object), 3 * BLOCK_SIZE, b.size, { path: FILM }), 'object_changed');
    assert.equal(b.origin.requests.length, 1);
    await verifyAll(new CachedReader(object), 0, 2 * BLOCK_SIZE, { path: FILM });
  });

  it('ends its fetches when it is closed', async () => {
    const b = bench(6);
    const reader = new CachedReader(new ObjectLoader(b.loader, b.described));
    const failure = failing(verifyAll(reader, 0, b.size, { path: FILM }), 'overloaded');
    b.loader.close();
    await failure;
    await failing(
      verifyAll(new CachedReader(new ObjectLoader(b.loader, b.described)), 0, b.size, { path: FILM }),
      'overloaded',
    );
    assert.equal(b.tier.stats.filling, 0);
    assert.ok(b.origin.requests[0]?.cancelled);
    reader.close();
  });
});
