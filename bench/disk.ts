import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BLOCK_SIZE, type ObjectId } from '../src/base/block.js';
import { silentLog } from '../src/base/log.js';
import { native } from '../src/base/native.js';
import { DiskReader } from '../src/cache/disk/disk-reader.js';
import { diskFile, diskStoreOptions } from '../src/cache/disk/disk-store.js';
import { DiskWriter } from '../src/cache/disk/disk-writer.js';
import { examine } from '../src/store/examination.js';
import { startEdge } from './support/edge.js';
import { diskFolder } from './support/folder.js';
import { rangesOf } from './support/hot.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { type BenchOptions, benchOptions } from './support/options.js';
import { paced } from './support/paced.js';
import { type Report, type ResultTable, type Row, Sample } from './support/report.js';

const GIB = 2 ** 30;
const checksum = (bytes: Uint8Array) => native.crc32c(0, bytes);
/** The players' file in memory, the file on disk, and how many blocks of it. */
const HOT = '/16/hot.mp4';
const HOT_BYTES = 16 * 2 ** 20;
const COLD = '/1024/disk.mp4';
const COLD_BLOCKS = 4096;
/** Requests per second of the players that are measured, and of those beside them. */
const HOT_RATE = 300;
const BESIDE_RATE = 150;
/** Loads that are asked for at once. */
const DEPTH = 8;
const LOADS = 3000;

/**
 * The disk tier on the disk of the machine's temporary folder: what its writer and its reader do by themselves, and
 * what players of memory feel of those of the disk. `--size GiB`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { size: '2' });
  const capacity = Number(options.rest.size) * GIB;
  const folder = diskFolder();
  const notes = [`ring of ${options.rest.size} GiB, blocks of 256 KiB, ${DEPTH} loads asked for at once`];
  const write = await writing(join(folder, 'ring'), capacity);
  const read = await reading(join(folder, 'ring'), capacity, notes);
  rmSync(join(folder, 'ring'), { recursive: true });
  const players = await disturbance(folder, options, notes);
  return { title: 'the disk tier', tables: [write, read, players], notes };
}

function objectId(n: number): ObjectId {
  return Uint32Array.from([n, 1, 2, 3]) as ObjectId;
}

/** Blocks of a ring's first turn, and of its second, where each takes the place of an old one. */
async function writing(folder: string, capacity: number): Promise<ResultTable> {
  const writer = new DiskWriter({ folder, capacity, checksum, log: silentLog });
  const bytes = new Uint8Array(BLOCK_SIZE).fill(1);
  const rows: Row[] = [];
  const blocks = Math.floor(capacity / BLOCK_SIZE);
  for (const [turn, name] of ['first turn', 'second turn'].entries()) {
    const times: number[] = [];
    const begun = performance.now();
    for (let block = 0; block < blocks; block++) {
      const before = performance.now();
      const { written } = writer.stats;
      writer.offer(objectId(turn), block, bytes);
      if (writer.stats.written > written) times.push(performance.now() - before);
    }
    const seconds = (performance.now() - begun) / 1000;
    times.sort((a, b) => a - b);
    const size = writer.stats.fileBytes / capacity;
    rows.push({ name, values: [(blocks * BLOCK_SIZE) / 1e6 / seconds, ...percentiles(times), size * 100] });
  }
  await writer.close();
  return {
    title: 'written and synced',
    columns: [MBS, ...MILLISECONDS('commit'), { title: 'file % of size', digits: 1 }],
    rows,
  };
}

/**
 * Reads blocks in no order: with nothing of the file in the page cache; with what the examination of a tier brings in
 * at each start of an edge, which is the trees, and what the disk reads ahead with them; and with all of it.
 */
async function reading(folder: string, capacity: number, notes: string[]): Promise<ResultTable> {
  const rows: Row[] = [];
  const file = diskFile(folder);
  for (const name of ['cold page cache', 'cold but for the trees', 'warm page cache']) {
    if (name.startsWith('cold')) {
      if (!forget(file)) {
        notes.push('no cold reads: dd can not make the kernel forget the file');
        continue;
      }
      if (name.includes('trees')) await examine(diskStoreOptions(folder, capacity, silentLog));
      notes.push(`${name}: ${residentShare(file)} % of the file in memory; the machine below may hold more`);
    }
    const reader = new DiskReader({ folder, capacity, checksum, log: silentLog, concurrency: 4 });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const times: number[] = [];
    let failed = 0;
    const begun = performance.now();
    const blocks = Math.floor(capacity / BLOCK_SIZE);
    let next = 0;
    const loadOne = async () => {
      while (next < LOADS) {
        // The last blocks are there for sure; a stride visits them in no order.
        const block = blocks - 1 - ((next++ * 7919) % Math.floor(blocks * 0.9));
        const before = performance.now();
        const bytes = await new Promise<number>(resolve => {
          reader.load(objectId(1), block, BLOCK_SIZE, found => resolve(found?.length ?? 0));
        });
        if (bytes === BLOCK_SIZE) times.push(performance.now() - before);
        else failed++;
      }
    };
    await Promise.all(Array.from({ length: DEPTH }, loadOne));
    const seconds = (performance.now() - begun) / 1000;
    delay.disable();
    reader.close();
    times.sort((a, b) => a - b);
    rows.push({
      name,
      values: [(times.length * BLOCK_SIZE) / 1e6 / seconds, ...percentiles(times), delay.percentile(99) / 1e6, failed],
    });
  }
  const columns = [MBS, ...MILLISECONDS('load'), { title: 'event loop p99 ms', digits: 1 }, { title: 'failed' }];
  return { title: 'loaded and verified', columns, rows };
}

/**
 * Players of a hot file in memory, alone, beside others of memory, and beside as many whose every block comes from
 * disk. All ask at a fixed rate that leaves the worker time to spare: how long an answer takes at full load says how
 * many ask, not what the disk does to them.
 */
async function disturbance(folder: string, { seconds, rounds }: BenchOptions, notes: string[]): Promise<ResultTable> {
  const origin = await startNoiseOrigin();
  const edge = await startEdge({ origin: origin.url, folder, memory: '192MiB', disk: '2GiB' });
  // Watched twice and pushed out of memory by what is watched after it: 1 GiB on disk.
  for (let block = 0; block < COLD_BLOCKS; block += 4) {
    for (let time = 0; time < 2; time++) await range(`${edge.url}${COLD}`, block * BLOCK_SIZE, 4 * BLOCK_SIZE);
  }
  const hot = rangesOf(HOT, HOT_BYTES, 65_536);
  const loads = {
    alone: undefined,
    'beside others from memory': rangesOf(HOT, HOT_BYTES, BLOCK_SIZE),
    'beside others from disk': rangesOf(COLD, COLD_BLOCKS * 0.7 * BLOCK_SIZE, BLOCK_SIZE),
  };
  await paced(edge.url, hot, { rate: HOT_RATE, seconds: 1 });
  const fetched = origin.bytes();
  const found = Object.keys(loads).map(() => ({ p50: [] as number[], p99: [] as number[], ratio: [] as number[] }));
  let failed = 0;
  for (let round = 0; round < rounds; round++) {
    const p99s: number[] = [];
    for (const [number, beside] of Object.values(loads).entries()) {
      // Each round asks for other blocks, so that those of the last are not in memory.
      const others = beside && [...beside.slice(round * 1000), ...beside.slice(0, round * 1000)];
      const [players, other] = await Promise.all([
        paced(edge.url, hot, { rate: HOT_RATE, seconds }),
        others && paced(edge.url, others, { rate: BESIDE_RATE, seconds }),
      ]);
      const p99 = players.times.quantile(0.99);
      p99s.push(p99);
      found[number]!.p50.push(players.times.median);
      found[number]!.p99.push(p99);
      found[number]!.ratio.push(p99 / p99s[0]!);
      failed += players.failed + (other?.failed ?? 0);
    }
  }
  const { totals } = (await (await fetch(`${edge.adminUrl}/stats`)).json()) as {
    totals: { lookups: { disk: number } };
  };
  if (failed > 0) throw new Error(`${failed} requests failed`);
  const origins = (origin.bytes() - fetched) / BLOCK_SIZE;
  notes.push(`${totals.lookups.disk} blocks came from disk and ${origins} from the origin while players were measured`);
  await edge.stop();
  origin.close();
  return {
    title: `64 KiB ranges from memory, ${HOT_RATE} a second, beside ${BESIDE_RATE} blocks a second`,
    columns: [
      { title: 'p99 ÷ alone', digits: 2 },
      { title: 'p50 ms', digits: 2 },
      { title: 'p99 ms', digits: 2 },
    ],
    rows: Object.keys(loads).map((name, number) => {
      const { p50, p99, ratio } = found[number]!;
      return { name, values: [new Sample(ratio), new Sample(p50), new Sample(p99)] };
    }),
  };
}

async function range(url: string, start: number, length: number): Promise<void> {
  const response = await fetch(url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
  await response.arrayBuffer();
  if (response.status !== 206) throw new Error(`${url} answers ${response.status}`);
}

/** Has the kernel forget what it has read of a file; false when the tool is missing. */
function forget(file: string): boolean {
  return spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0']).status === 0;
}

/** How much of a file is in the page cache, in %. */
function residentShare(file: string): string {
  const { stdout } = spawnSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', file], { encoding: 'utf8' });
  return stdout === null ? 'an unknown part' : ((Number(stdout) / statSync(file).size) * 100).toFixed();
}

const MBS = { title: 'MB/s' };
const MILLISECONDS = (what: string) => ['p50', 'p99'].map(p => ({ title: `${what} ${p} ms`, digits: 2 }));

function percentiles(sorted: readonly number[]): number[] {
  return [0.5, 0.99].map(p => sorted[Math.floor(sorted.length * p)] ?? Number.NaN);
}
