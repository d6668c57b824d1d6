import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE } from '../src/base/block.js';
import { SharedMemoryTier } from '../src/cache/memory/shared-memory-tier.js';
import { parseSize } from '../src/config/units.js';
import { DEFAULTS } from '../test/support/defaults.js';
import { dieWith, presentBlocks, shuffle, spareMemory, sparseTier, timeLookups } from './support/cache-file.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import { hotRanges, measure } from './support/steady.js';

const GIB = 2 ** 30;
/** Room for a film and the files of an edge, in bytes. */
const ROOM = GIB / 2;
/** Bytes in each block: one page is touched, so that 64 GiB of cache take 1 GiB of memory. */
const LENGTH = 64;
const LOOKUPS = 1_000_000;
const ENTRY = fileURLToPath(new URL('./support/sparse-edge.mjs', import.meta.url));

/**
 * What opening, start-up, a lookup and a request cost, and the memory of the edge, by size of a cache that is full.
 * `--sizes A,B,…`.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { sizes: '1GiB,4GiB,16GiB,64GiB' });
  const folder = runFolder(ROOM);
  const notes = [
    `sparse files, of which every block is there with ${LENGTH} bytes in it; the edge is as built, but reserves no space`,
    'start-up is from spawn to the first answer, by a new edge each time; memory is what belongs to no file, of all processes of the edge',
  ];
  const fitting = rest.sizes!.split(',').filter(size => {
    const fits = memoryOf(size) < spareMemory();
    if (!fits) notes.push(`${size} left out: not enough memory in /dev/shm`);
    return fits;
  });
  const origin = await startNoiseOrigin();
  const rows: Row[] = [];
  for (const size of fitting) rows.push({ name: size, values: await grow(size, folder, origin.url, rounds, seconds) });
  origin.close();
  const table = {
    title: 'a full cache of 256 KiB blocks',
    axis: { title: 'GiB', at: fitting.map(size => parseSize(size)! / GIB) },
    columns: [
      { title: 'ms to open the file', digits: 1 },
      { title: 'ms start-up, clean stop' },
      { title: 'ms start-up, unclean stop' },
      { title: 'CPU ms start-up, unclean stop' },
      { title: 'ns/lookup at random' },
      { title: 'CPU µs/request of 4 KiB', digits: 1 },
      { title: 'memory MiB', digits: 1 },
    ],
    rows,
  };
  return { title: 'growth with the size of the memory tier', tables: [table], notes };
}

/** Bytes of memory that a cache of one page in each block takes. */
function memoryOf(size: string): number {
  return (parseSize(size) ?? 0) / 64 + ROOM;
}

async function grow(size: string, folder: string, origin: string, rounds: number, seconds: number) {
  const file = join(folder, `${size}.cache`);
  const start = () => startEdge({ origin, folder, memory: size, main: ENTRY, memoryFile: file });
  const clean: number[] = [];
  const unclean: number[] = [];
  const cpu: number[] = [];
  const requests = [];
  const lookup = fill(file, Math.floor(parseSize(size)! / BLOCK_SIZE), rounds);
  const opened = Array.from({ length: rounds }, () => timeOpening(file));
  for (let round = 0; round < rounds; round++) {
    const edge = await start();
    clean.push(edge.startUp);
    const list = await hotRanges(edge, join(folder, 'ranges'));
    requests.push(await measure(edge, list, seconds));
    await edge.stop();
    await dieWith(file);
    const next = await start();
    unclean.push(next.startUp);
    cpu.push(next.cpuSeconds() * 1000);
    await next.stop();
  }
  rmSync(file);
  return [
    new Sample(opened),
    new Sample(clean),
    new Sample(unclean),
    new Sample(cpu),
    lookup,
    new Sample(requests.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    new Sample(requests.map(({ anonymous }) => anonymous / 2 ** 20)),
  ];
}

/** Milliseconds until a process has the file open after a clean stop. */
function timeOpening(file: string): number {
  const begun = performance.now();
  const tier = new SharedMemoryTier({ ...DEFAULTS.memoryTier, file, role: 'supervisor', reserve: false });
  const took = performance.now() - begun;
  tier.close();
  return took;
}

/**
 * Fills every block, and gives the processor time of a lookup with pin and release among all of them, in nanoseconds.
 */
function fill(file: string, blocks: number, rounds: number): Sample {
  const tier = sparseTier(file, blocks, LENGTH, { fillShare: 1 });
  const present = shuffle(presentBlocks(tier, blocks));
  timeLookups(tier, present, LOOKUPS, 0);
  const times = Array.from({ length: rounds }, () => timeLookups(tier, present, LOOKUPS, 0));
  tier.close();
  return new Sample(times);
}
