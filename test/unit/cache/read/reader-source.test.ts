import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { BlockLoader } from '../../../../src/cache/fetch/block-loader.js';
import { ObjectLoader } from '../../../../src/cache/fetch/object-loader.js';
import { ReaderSource } from '../../../../src/cache/read/reader-source.js';
import { contentAt } from '../../../support/content.js';
import { DEFAULTS } from '../../../support/defaults.js';
import { FakeOrigin } from '../../../support/fake-origin.js';
import { SlabTier } from '../../../support/slab-tier.js';
import { FILM, sourceFilm } from '../../../support/source-film.js';

const SIZE = 10 * BLOCK_SIZE - 5;

function setUp() {
  const origin = new FakeOrigin();
  origin.put(FILM, { size: SIZE });
  const tier = new SlabTier({ blocks: 64, fillShare: 1 });
  const loader = new BlockLoader({
    ...DEFAULTS.blockLoader,
    tier,
    readAhead: { min: 2 * BLOCK_SIZE, max: 8 * BLOCK_SIZE, time: Infinity },
  });
  const object = new ObjectLoader(loader, sourceFilm(origin, SIZE));
  return { origin, tier, loader, source: new ReaderSource(object) };
}

describe('ReaderSource', () => {
  it('fetches the blocks that a read needs and no more, and gives cached bytes at once', async () => {
    const { origin, tier, source } = setUp();
    const read = source.read(SIZE - 300_000, 300_000);
    assert.ok(read instanceof Promise);
    assert.ok(Buffer.from(await read).equals(contentAt(FILM, 'v1', SIZE - 300_000, SIZE)));
    assert.deepEqual(
      origin.requests.map(({ range }) => range),
      [{ start: 8 * BLOCK_SIZE, end: SIZE }],
    );
    const again = source.read(9 * BLOCK_SIZE - 10, 20);
    assert.ok(!(again instanceof Promise));
    assert.deepEqual(Buffer.from(again), contentAt(FILM, 'v1', 9 * BLOCK_SIZE - 10, 9 * BLOCK_SIZE + 10));
    again.fill(0);
    assert.deepEqual(
      Buffer.from(await source.read(9 * BLOCK_SIZE - 10, 20)),
      contentAt(FILM, 'v1', 9 * BLOCK_SIZE - 10, 9 * BLOCK_SIZE + 10),
    );
    assert.equal(tier.stats.filling, 0);
  });

  it('lends what is at hand from one buffer, and what is not is the own of whoever waits', async () => {
    const { source } = setUp();
    const [from, to] = [3 * BLOCK_SIZE - 50, 3 * BLOCK_SIZE + 50];
    await source.read(from - 10, 10);
    const waited = await source.lend(from, 100);
    const lent = source.lend(from, 100);
    assert.ok(lent instanceof Uint8Array);
    assert.deepEqual(Buffer.from(lent), contentAt(FILM, 'v1', from, to));
    const next = source.lend(from + 1, 99);
    assert.ok(next instanceof Uint8Array && next.buffer === lent.buffer);
    assert.deepEqual(Buffer.from(next), contentAt(FILM, 'v1', from + 1, to));
    assert.deepEqual(Buffer.from(waited), contentAt(FILM, 'v1', from, to));
    const long = await source.lend(0, 2 * BLOCK_SIZE);
    assert.deepEqual(Buffer.from(long), contentAt(FILM, 'v1', 0, 2 * BLOCK_SIZE));
    assert.ok(source.lend(0, 2 * BLOCK_SIZE) instanceof Uint8Array);
  });

  it('counts a block once however many small reads it takes', async () => {
    const { loader, source } = setUp();
    await source.read(0, 10);
    const lookups = () => loader.stats.memoryLookups + loader.stats.originLookups;
    const before = lookups();
    for (let i = 0; i < 1000; i++) await source.read(i * 20, 20);
    assert.equal(lookups(), before + 1);
  });

  it('serves several reads at a time', async () => {
    const { origin, source } = setUp();
    const offsets = [0, 5 * BLOCK_SIZE, 100, 2 * BLOCK_SIZE + 7];
    const all = await Promise.all(offsets.map(offset => source.read(offset, 500)));
    for (const [i, bytes] of all.entries()) {
      assert.deepEqual(Buffer.from(bytes), contentAt(FILM, 'v1', offsets[i]!, offsets[i]! + 500));
    }
    assert.equal(origin.requests.length, 3);
  });

  it('refuses what lies outside, and passes failures on', async () => {
    const { origin, source } = setUp();
    for (const [offset, length] of [
      [-1, 5],
      [SIZE - 4, 5],
      [0, -1],
      [0, 2 ** 21],
      [Number.NaN, 1],
    ] as const) {
      assert.throws(() => source.read(offset, length), { code: 'unplayable' });
    }
    assert.equal((source.read(SIZE, 0) as Uint8Array).length, 0);
    origin.next = { fail: { code: 'origin_timeout' } };
    await assert.rejects(async () => source.read(0, 10), { code: 'origin_timeout' });
  });

  it('ends with what is thrown on the way, and others that wait for the same bytes are served', async () => {
    const { origin, source, loader } = setUp();
    const object = new ObjectLoader(
      new BlockLoader({ ...loader, ...DEFAULTS.blockLoader, tier: loader.tier, maxRun: BLOCK_SIZE }),
      sourceFilm(origin, SIZE),
    );
    const fetch = origin.fetch.bind(origin);
    let fetches = 0;
    origin.fetch = (...args) => {
      if (++fetches === 2) throw new TypeError('a defect');
      return fetch(...args);
    };
    const one = new ReaderSource(object);
    // The second block is asked for by whoever is woken first.
    const reads = [one.read(0, 2 * BLOCK_SIZE), one.read(0, 100), one.read(50, 100)];
    await assert.rejects(async () => reads[0], /a defect/);
    for (const [i, from] of [
      [1, 0],
      [2, 50],
    ] as const)
      assert.deepEqual(Buffer.from(await reads[i]!), contentAt(FILM, 'v1', from, from + 100));
    assert.deepEqual(Buffer.from(await source.read(BLOCK_SIZE, 9)), contentAt(FILM, 'v1', BLOCK_SIZE, BLOCK_SIZE + 9));
  });
});
