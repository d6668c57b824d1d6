import { BLOCK_SIZE } from '../src/base/block.js';
import {
  BENCH_ID,
  cpuNanoseconds,
  presentBlocks,
  shuffle,
  spareMemory,
  sparseTier,
  timeLookups,
  withCacheFile,
} from './support/cache-file.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

/** Bytes in each block: one page is touched, so that a million blocks take 4 GB and not 256. */
const LENGTH = 64;
const LOOKUPS = 1_000_000;

/** Cost of a lookup with pin and release from JavaScript, and how it grows with the cache. */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { blocks: '1000,100000,1000000' });
  const rows: Row[] = [];
  const notes: string[] = [
    `${LOOKUPS.toLocaleString('en')} lookups a round, in processor time; at most 1,000 ns is the bar`,
  ];
  for (const blocks of rest.blocks!.split(',').map(Number)) {
    if (blocks * 4096 > spareMemory()) {
      notes.push(`${blocks} blocks left out: not enough memory in /dev/shm`);
      continue;
    }
    await withCacheFile(file => {
      // A little room, because stripes do not fill evenly.
      const tier = sparseTier(file, Math.ceil(blocks * 1.15), LENGTH, { fillShare: 1 });
      const present = presentBlocks(tier, blocks);
      const random = shuffle(present.slice());
      const sample = (body: () => number) => new Sample(Array.from({ length: rounds }, body));
      timeLookups(tier, random, LOOKUPS, LENGTH);
      rows.push({
        name: present.length.toLocaleString('en'),
        values: [
          sample(() => timeLookups(tier, random, LOOKUPS, 0)),
          sample(() => timeLookups(tier, present, LOOKUPS, 0)),
          sample(() => timeLookups(tier, random.subarray(0, 100), LOOKUPS, 0)),
          sample(() => timeLookups(tier, random, LOOKUPS, LENGTH)),
          sample(() => timeMisses(tier)),
        ],
      });
      tier.close();
    });
  }
  const titles = ['random', 'in order', '100 hot ones', 'random, with view', 'absent'];
  const table = {
    title: `nanoseconds per lookup + pin + release, by number of blocks of ${BLOCK_SIZE / 1024} KiB`,
    columns: titles.map(title => ({ title })),
    rows,
  };
  return { title: 'lookups in the memory tier', tables: [table], notes };
}

function timeMisses(tier: ReturnType<typeof sparseTier>): number {
  const start = process.cpuUsage();
  for (let i = 0; i < LOOKUPS; i++) tier.acquire(BENCH_ID, 0x80000000 + i);
  return cpuNanoseconds(start) / LOOKUPS;
}
