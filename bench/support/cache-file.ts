import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE, type ObjectId } from '../../src/base/block.js';
import { ABSENT, type MemoryTier } from '../../src/cache/memory/memory-tier.js';
import { SharedMemoryTier, type SharedMemoryTierOptions } from '../../src/cache/memory/shared-memory-tier.js';
import { DEFAULTS } from '../../test/support/defaults.js';
import { told } from '../../test/support/told.js';
import { runFolder } from './folder.js';

/** The object whose blocks the benches of the memory tier look up. */
export const BENCH_ID = Uint32Array.of(0x9d2c5680, 0xefc60000, 0x12345678, 0x9abcdef0) as ObjectId;

/** Bytes of memory that a bench may take in /dev/shm without harm to others. */
export function spareMemory(): number {
  const available = Number(/^MemAvailable: *(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1024;
  const { bavail, bsize } = statfsSync('/dev/shm');
  return Math.min(available, bavail * bsize) * 0.8;
}

/** Runs `body` with a path in a folder of the run for a cache file, which is removed at the end. */
export async function withCacheFile<T>(body: (file: string) => Promise<T> | T): Promise<T> {
  const file = join(runFolder(), 'cache');
  try {
    return await body(file);
  } finally {
    rmSync(file, { force: true });
  }
}

/** Makes a sparse cache of `blocks` blocks in which each holds `length` bytes; only the touched pages take memory. */
export function sparseTier(
  file: string,
  blocks: number,
  length: number,
  options: Partial<SharedMemoryTierOptions> = {},
) {
  const tier = new SharedMemoryTier({
    ...DEFAULTS.memoryTier,
    file,
    role: 'supervisor',
    size: blocks * BLOCK_SIZE,
    reserve: false,
    ...options,
  });
  fillBlocks(tier, blocks, length);
  return tier;
}

/** Fills blocks `[0, blocks)` with `length` bytes each. */
export function fillBlocks(tier: MemoryTier, blocks: number, length: number): void {
  const bytes = Buffer.alloc(length, 7);
  for (let block = 0; block < blocks; block++) {
    const claim = tier.claim(BENCH_ID, block, length);
    if (typeof claim === 'string') throw new Error(`block ${block} can't be filled: ${claim}`);
    claim.append(bytes);
  }
}

/** Blocks among the first `blocks` that are there; stripes are not all filled alike. */
export function presentBlocks(tier: SharedMemoryTier, blocks: number): Uint32Array {
  return Uint32Array.from({ length: blocks }, (_, block) => block).filter(block => tier.has(BENCH_ID, block));
}

/** Opens the file in another process, which is killed. */
export async function dieWith(file: string): Promise<void> {
  const child = fork(fileURLToPath(new URL('./lookup-process.ts', import.meta.url)), [file, '10', '1']);
  await told(child);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/**
 * Nanoseconds of processor time since `start`, a value of `process.cpuUsage`: what others do on the machine does not
 * count.
 */
export function cpuNanoseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000;
}

/**
 * Nanoseconds of processor time per lookup, pin, view of `viewed` bytes if any, and release, of `lookups` blocks taken
 * in turn from `blocks`.
 */
export function timeLookups(tier: SharedMemoryTier, blocks: Uint32Array, lookups: number, viewed: number): number {
  let at = 0;
  let sum = 0;
  const start = process.cpuUsage();
  for (let i = 0; i < lookups; i++) {
    if (tier.acquire(BENCH_ID, blocks[at]!) === ABSENT) throw new Error('a block is gone');
    if (viewed > 0) sum += tier.view(0, viewed).length;
    tier.release();
    if (++at === blocks.length) at = 0;
  }
  const elapsed = cpuNanoseconds(start);
  if (sum !== viewed * lookups) throw new Error('a view is short');
  return elapsed / lookups;
}

/** Puts numbers in an order that no processor foresees; the same each time. */
export function shuffle(numbers: Uint32Array): Uint32Array {
  let state = 1;
  for (let i = numbers.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j]!, numbers[i]!];
  }
  return numbers;
}
