import { BLOCK_SIZE } from '../src/base/block.js';
import { ABSENT } from '../src/cache/memory/memory-tier.js';
import { SharedMemoryTier } from '../src/cache/memory/shared-memory-tier.js';
import { parseSize } from '../src/config/units.js';
import { DEFAULTS } from '../test/support/defaults.js';
import {
  BENCH_ID,
  dieWith,
  fillBlocks,
  presentBlocks,
  shuffle,
  spareMemory,
  withCacheFile,
} from './support/cache-file.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

/** Time to open a warm cache after a clean and after an unclean stop, and to use its blocks for the first time. */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { size: '8GiB' });
  const wanted = parseSize(rest.size) ?? 0;
  const size = Math.min(wanted, spareMemory());
  const blocks = Math.floor(size / BLOCK_SIZE);
  const notes = [
    'at most 1,000 ms for 8 GiB is the bar; first use is of 2,000 blocks at random, the checksum of each verified',
  ];
  if (size < wanted) notes.push(`only ${(size / 2 ** 30).toFixed(1)} GiB: there is not more memory`);
  const rows: Row[] = [];
  await withCacheFile(async file => {
    const created = time(
      () => new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', size: blocks * BLOCK_SIZE }),
    );
    const filled = time(() => fillBlocks(created.result, blocks, BLOCK_SIZE));
    created.result.close();
    const opens = { clean: [] as number[], unclean: [] as number[] };
    const uses = { clean: [] as number[], unclean: [] as number[] };
    let present = 0;
    for (let round = 0; round < rounds; round++) {
      for (const stop of ['clean', 'unclean'] as const) {
        if (stop === 'unclean') await dieWith(file);
        const opened = time(() => new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor' }));
        const tier = opened.result;
        if (!tier.first || tier.clean !== (stop === 'clean')) throw new Error(`the stop was not ${stop}`);
        opens[stop].push(opened.milliseconds);
        const all = presentBlocks(tier, blocks);
        present = all.length;
        const some = shuffle(all).subarray(0, 2000);
        uses[stop].push((time(() => use(tier, some)).milliseconds / some.length) * 1000);
        tier.close();
      }
    }
    for (const stop of ['clean', 'unclean'] as const) {
      rows.push({ name: `${stop} stop`, values: [new Sample(opens[stop]), new Sample(uses[stop])] });
    }
    notes.push(
      `${present.toLocaleString('en')} blocks of 256 KiB; making the file took ${created.milliseconds.toFixed(0)} ms, ` +
        `filling it ${((blocks * BLOCK_SIZE) / filled.milliseconds / 1e6).toFixed(2)} GB/s`,
    );
  });
  const table = {
    title: `a warm cache of ${(size / 2 ** 30).toFixed(1)} GiB`,
    columns: [
      { title: 'ms to open', digits: 1 },
      { title: 'µs per first use', digits: 1 },
    ],
    rows,
  };
  return { title: 'restart of the memory tier', tables: [table], notes };
}

function time<T>(body: () => T): { result: T; milliseconds: number } {
  const start = performance.now();
  const result = body();
  return { result, milliseconds: performance.now() - start };
}

function use(tier: SharedMemoryTier, blocks: Uint32Array): void {
  for (const block of blocks) {
    if (tier.acquire(BENCH_ID, block) === ABSENT) throw new Error('a block is gone');
    tier.release();
  }
}
