import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BLOCK_SIZE } from '../../../../src/base/block.js';
import { ABSENT, type BlockFill, type MemoryTier } from '../../../../src/cache/memory/memory-tier.js';
import { SlabTier } from '../../../support/slab-tier.js';
import { idOf, TemporaryTier } from './temporary-tier.js';

interface TierOptions {
  fillShare?: number;
  followTimeout?: number;
}

const TIERS: Record<string, (blocks: number, options?: TierOptions) => MemoryTier> = {
  SlabTier: (blocks, options) => new SlabTier({ blocks, ...options }),
  SharedMemoryTier: (blocks, options) => new TemporaryTier(blocks, options),
};

for (const [name, make] of Object.entries(TIERS)) {
  describe(`memory tier contract: ${name}`, () => {
    it('gives what was filled, up to the watermark and then whole', () =>
      using(make(8), tier => {
        const id = idOf(1);
        assert.equal(tier.acquire(id, 5), ABSENT);
        const fill = claimed(tier, 1, 5, 1000);
        assert.equal(fill.watermark, 0);
        assert.equal(fill.length, 1000);
        assert.equal(tier.acquire(id, 5), 0);
        tier.release();
        fill.append(Buffer.alloc(300, 'a'));
        assert.equal(fill.watermark, 300);
        assert.equal(tier.has(id, 5), false);
        assert.equal(tier.acquire(id, 5), 300);
        assert.deepEqual(Buffer.from(tier.view(298, 300)).toString(), 'aa');
        assert.throws(() => tier.view(0, 301), RangeError);
        assert.throws(() => tier.view(-1, 10), RangeError);
        tier.release();
        fill.append(Buffer.alloc(700, 'b'));
        assert.equal(tier.has(id, 5), true);
        assert.equal(tier.acquire(id, 5), 1000);
        assert.equal(Buffer.from(tier.view(299, 301)).toString(), 'ab');
        assert.equal(tier.view(1000, 1000).length, 0);
        tier.release();
        assert.equal(tier.has(id, 4), false);
        assert.equal(tier.has(idOf(2), 5), false);
      }));

    it('answers claims by what the block is', () =>
      using(make(8), tier => {
        const fill = claimed(tier, 1, 0, 10);
        assert.equal(tier.claim(idOf(1), 0, 10), 'following');
        fill.append(Buffer.alloc(10));
        assert.equal(tier.claim(idOf(1), 0, 10), 'present');
        assert.throws(() => tier.claim(idOf(1), 1, 0), RangeError);
        assert.throws(() => tier.claim(idOf(1), 1, BLOCK_SIZE + 1), RangeError);
        assert.throws(() => tier.claim(idOf(1), 1, 1.5), RangeError);
      }));

    it('refuses what does not fit and what comes after the end', () =>
      using(make(8), tier => {
        const fill = claimed(tier, 1, 0, 10);
        assert.throws(() => fill.append(Buffer.alloc(11)), RangeError);
        fill.append(Buffer.alloc(0));
        fill.append(Buffer.alloc(10));
        assert.throws(() => fill.append(Buffer.alloc(1)), Error);
        fill.abandon();
        assert.equal(tier.has(idOf(1), 0), true);
        const other = claimed(tier, 1, 1, 10);
        other.abandon();
        assert.throws(() => other.append(Buffer.alloc(1)), Error);
      }));

    it('keeps the bytes of an abandoned fill for the next filler, unless they are discarded', () =>
      using(make(8), tier => {
        const first = claimed(tier, 1, 0, 10);
        first.append(Buffer.from('abcd'));
        first.abandon();
        assert.equal(tier.acquire(idOf(1), 0), 4);
        tier.release();
        const second = claimed(tier, 1, 0, 10);
        assert.equal(second.watermark, 4);
        second.append(Buffer.from('e'));
        second.abandon(true);
        assert.equal(tier.acquire(idOf(1), 0), ABSENT);
        assert.equal(claimed(tier, 1, 0, 10).watermark, 0);
      }));

    it('evicts what was used least recently, never what is pinned or being filled', () =>
      using(make(4, { fillShare: 1 }), tier => {
        for (const block of [0, 1, 2]) claimed(tier, 1, block, 10).append(Buffer.alloc(10, block));
        const fill = claimed(tier, 1, 3, 10);
        fill.append(Buffer.alloc(5, 3));
        touch(tier, 1, 0);
        claimed(tier, 1, 4, 10).append(Buffer.alloc(10, 4));
        assert.deepEqual(present(tier, 5), [0, 2, 4]);
        // 2 is the coldest: pinned, it stays.
        tier.acquire(idOf(1), 2);
        const view = tier.view(0, 10);
        for (const block of [5, 6, 7]) claimed(tier, 1, block, 10).append(Buffer.alloc(10, block));
        assert.deepEqual([...view], Array(10).fill(2));
        tier.release();
        assert.deepEqual(present(tier, 8), [2, 6, 7]);
        fill.append(Buffer.alloc(5, 3));
        assert.equal(tier.has(idOf(1), 3), true);
      }));

    it('limits the share of fills', () =>
      using(make(8, { fillShare: 0.25 }), tier => {
        const first = claimed(tier, 1, 0, 10);
        claimed(tier, 1, 1, 10);
        assert.equal(tier.claim(idOf(1), 2, 10), 'full');
        first.append(Buffer.alloc(10));
        claimed(tier, 1, 2, 10);
      }));

    it('wakes waiters once: for bytes, for the end of the fill, and when it is so already', async () => {
      await using(make(8), async tier => {
        const id = idOf(1);
        const fill = claimed(tier, 1, 0, 10);
        const calls: string[] = [];
        const wait = (label: string, seen: number) =>
          new Promise<void>(resolve => {
            let within = true;
            const waiter = {
              blockChanged() {
                assert.equal(within, false, 'called from within waitFor');
                calls.push(label);
                resolve();
              },
            };
            tier.waitFor(id, 0, seen, waiter);
            within = false;
          });
        const none = wait('more than 0', 0);
        const five = wait('more than 5', 5);
        const cancelled = { blockChanged: () => assert.fail('cancelled') };
        tier.waitFor(id, 0, 0, cancelled);
        tier.cancelWait(id, 0, cancelled);
        tier.waitFor(idOf(9), 0, 0, cancelled);
        tier.cancelWait(idOf(9), 0, cancelled);
        fill.append(Buffer.alloc(5));
        await none;
        assert.deepEqual(calls, ['more than 0']);
        await wait('already', 4);
        fill.abandon();
        await five;
        await wait('nobody fills', 5);
        await Promise.all([wait('absent', 0), wait('absent', 0)]);
        assert.deepEqual(calls, ['more than 0', 'already', 'more than 5', 'nobody fills', 'absent', 'absent']);
      });
    });

    it('lets waiters acquire, claim and wait again when they are woken', async () => {
      await using(make(8), async tier => {
        const id = idOf(1);
        const fill = claimed(tier, 1, 0, 3);
        const seen: number[] = [];
        await new Promise<void>(resolve => {
          const waiter = {
            blockChanged() {
              const readable = tier.acquire(id, 0);
              tier.release();
              seen.push(readable);
              if (readable === 3) resolve();
              else tier.waitFor(id, 0, readable, waiter);
            },
          };
          tier.waitFor(id, 0, 0, waiter);
          for (const byte of [1, 2, 3]) fill.append(Uint8Array.of(byte));
        });
        assert.deepEqual(seen, [1, 2, 3]);
      });
    });

    it('gives up on a fill that stalls', async () => {
      await using(make(8, { followTimeout: 1000 }), async tier => {
        const fill = claimed(tier, 1, 0, 10);
        assert.equal(tier.claim(idOf(1), 0, 10), 'following');
        await new Promise<void>(resolve => tier.waitFor(idOf(1), 0, 0, { blockChanged: resolve }));
        assert.equal(tier.claim(idOf(1), 0, 10), 'full');
        fill.append(Buffer.alloc(1));
        assert.equal(tier.claim(idOf(1), 0, 10), 'following');
      });
    });

    it('counts generations', () =>
      using(make(1), tier => {
        const before = tier.generation(3);
        tier.bumpGeneration(3);
        tier.bumpGeneration(3 + 65536);
        assert.equal(tier.generation(3), (before + 2) >>> 0);
        assert.equal(tier.generation(4), 0);
      }));
  });
}

it('SharedMemoryTier and SlabTier answer any sequence of calls alike', () => {
  const step = fc.record({
    kind: fc.constantFrom(
      'read',
      'gather',
      'peek',
      'claim',
      'claim',
      'claim',
      'append',
      'append',
      'end',
      'abandon',
      'discard',
    ),
    block: fc.nat(11),
    amount: fc.nat(400),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const tiers = [new SlabTier({ blocks: 6, fillShare: 0.5 }), new TemporaryTier(6, { fillShare: 0.5 })];
      const runs = tiers.map(tier => {
        const fills = new Map<number, BlockFill>();
        return steps.map(({ kind, block, amount }) => act(tier, fills, kind, block, amount));
      });
      for (const tier of tiers) tier.close();
      assert.deepEqual(runs[1], runs[0]);
    }),
    { numRuns: 300 },
  );
});

/** One call, on a block whose length and content follow from its number; returns what it answered. */
function act(tier: MemoryTier, fills: Map<number, BlockFill>, kind: string, block: number, amount: number): unknown {
  const length = 100 + block * 30;
  const fill = fills.get(block);
  if (kind === 'peek') return tier.has(idOf(1), block);
  if (kind === 'read') {
    const readable = tier.acquire(idOf(1), block);
    if (readable === ABSENT) return readable;
    const bytes = [...tier.view(0, readable)];
    tier.release();
    assert.deepEqual(bytes, content(block, 0, readable));
    return readable;
  }
  if (kind === 'gather') return gatherFrom(tier, block, amount);
  if (kind === 'claim') {
    const claim = tier.claim(idOf(1), block, length);
    if (typeof claim === 'string') return claim;
    fills.set(block, claim);
    return claim.watermark;
  }
  if (fill === undefined) return undefined;
  if (kind === 'append' || kind === 'end') {
    const to = kind === 'end' ? length : Math.min(length, fill.watermark + amount);
    fill.append(Uint8Array.from(content(block, fill.watermark, to)));
    if (fill.watermark === length) fills.delete(block);
    return fill.watermark;
  }
  fill.abandon(kind === 'discard');
  fills.delete(block);
  return undefined;
}

/** Gathers two pieces a block of three blocks in a row, from a byte of them on; returns what came. */
function gatherFrom(tier: MemoryTier, block: number, amount: number): unknown {
  const blocks = [block, block + 1, block + 2];
  const places = blocks.flatMap(at => [[at, 10, 50] as const, [at, 70, 25] as const]);
  const offsets = Float64Array.from(places, ([at, from]) => at * BLOCK_SIZE + from);
  const begins = Float64Array.from({ length: places.length + 1 }, (_, i) =>
    places.slice(0, i).reduce((sum, [, , bytes]) => sum + bytes, 0),
  );
  const whole = places.flatMap(([at, from, bytes]) => content(at, from, from + bytes));
  const at = amount % whole.length;
  const target = new Uint8Array(1 + (amount % 200));
  const put = tier.gather(idOf(1), amount % 2 === 0 ? block : -1, { offsets, begins }, at, target);
  assert.deepEqual([...target.subarray(0, put)], whole.slice(at, at + put));
  return [put, put > 0 && tier.gatheredOf];
}

function content(block: number, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => (block * 31 + (from + i) * 7) & 255);
}

async function using<T extends MemoryTier>(tier: T, body: (tier: T) => void | Promise<void>): Promise<void> {
  try {
    await body(tier);
  } finally {
    tier.close();
  }
}

function claimed(tier: MemoryTier, object: number, block: number, length: number): BlockFill {
  const claim = tier.claim(idOf(object), block, length);
  if (typeof claim === 'string') assert.fail(`the claim of block ${block} was answered '${claim}'`);
  return claim;
}

function touch(tier: MemoryTier, object: number, block: number): void {
  assert.notEqual(tier.acquire(idOf(object), block), ABSENT);
  tier.release();
}

function present(tier: MemoryTier, blocks: number): number[] {
  return Array.from({ length: blocks }, (_, block) => block).filter(block => tier.has(idOf(1), block));
}
