import { ABSENT, type BlockFill } from '../../../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier, type SharedMemoryTierOptions } from '../../../../src/cache/memory/shared-memory-tier.js';
import { PATTERN_ID, pattern, patternLength } from './pattern.js';
import type { Order } from './tier-process.js';

/* The process behind TierProcess. */

const options = JSON.parse(process.argv[2]!) as SharedMemoryTierOptions;
const tier = new SharedMemoryTier(options);
const fills = new Map<number, BlockFill>();

function claim(block: number): string | number {
  const claim = tier.claim(PATTERN_ID, block, patternLength(block));
  if (typeof claim === 'string') return claim;
  fills.set(block, claim);
  return claim.watermark;
}

function append(block: number, to: number): void {
  const fill = fills.get(block)!;
  fill.append(pattern(block, fill.watermark, Math.min(to, fill.length)));
  if (fill.watermark === fill.length) fills.delete(block);
}

/** Readable bytes, all compared with what they must be. */
function read(block: number): number {
  const readable = tier.acquire(PATTERN_ID, block);
  if (readable === ABSENT) return readable;
  const right = pattern(block, 0, readable).equals(tier.view(0, readable));
  tier.release();
  if (!right) throw new Error(`wrong bytes in block ${block}`);
  return readable;
}

/** Reads and fills at random until the process is killed. */
function hammer(blocks: number, seed: number): void {
  let state = seed;
  const random = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const turn = () => {
    for (let i = 0; i < 50; i++) {
      const block = random(blocks);
      if (read(block) < patternLength(block)) claim(block);
      for (const [filling, fill] of fills) append(filling, fill.watermark + 1 + random(100_000));
    }
    setImmediate(turn);
  };
  turn();
}

/**
 * Changes a block that is waited for when JavaScript may not run any more after this turn, but the doorbell's thread
 * still does.
 */
function ringAtTheEnd(block: number): void {
  process.once('exit', () => {
    const other = new SharedMemoryTier(options);
    const fill = other.claim(PATTERN_ID, block, patternLength(block));
    if (typeof fill === 'string') throw new Error(fill);
    tier.waitFor(PATTERN_ID, block, 0, { blockChanged: () => {} });
    fill.append(pattern(block, 0, 1));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  });
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'claim') return claim(order.block);
  if (order.do === 'append') return append(order.block, order.to);
  if (order.do === 'read') return read(order.block);
  if (order.do === 'pin') return tier.acquire(PATTERN_ID, order.block);
  if (order.do === 'ring at the end') return ringAtTheEnd(order.block);
  if (order.do === 'hammer') return hammer(order.blocks, order.seed);
  if (order.do === 'close') return tier.close();
  await new Promise<void>(resolve => tier.waitFor(PATTERN_ID, order.block, order.seen, { blockChanged: resolve }));
  return read(order.block);
}

process.on('message', async order => {
  try {
    const result = await obey(order as Order);
    process.send!({ result });
  } catch (error) {
    process.send!({ error: String(error) });
  }
});
process.on('uncaughtException', error => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(66);
});
process.send!({ result: 'ready' });
