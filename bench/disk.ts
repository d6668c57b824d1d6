import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BLOCK_SIZE, type ObjectId } from '../src/cache/block.js';
import { DiskReader } from '../src/cache/disk/disk-reader.js';
import { diskFile } from '../src/cache/disk/disk-store.js';
import { DiskWriter } from '../src/cache/disk/disk-writer.js';
import { native } from '../src/native.js';
import { silentLog } from '../src/observe/log-type.js';
import { startEdge } from './support/edge.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { type Report, type ResultTable, type Row, Sample } from './support/report.js';
import { load, type Request, writeRequests } from './support/wrk.js';

const GIB = 2 ** 30;
const checksum = (bytes: Uint8Array) => native.crc32c(0, bytes);
/** Loads that are asked for at once. */
const DEPTH = 8;
const LOADS = 3000;

/**
 * The disk tier on the disk of the machine's temporary folder: what its writer and its reader do by themselves, and what players of
 * memory feel of those of the disk. `--size GiB`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { size: '2' });
  const capacity = Number(options.rest.size) * GIB;
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-bench-'));
  try {
    const notes = [`ring of ${options.rest.size} GiB, blocks of 256 KiB, ${DEPTH} loads asked for at once`];
    const write = await writing(join(folder, 'ring'), capacity);
    const read = await reading(join(folder, 'ring'), capacity, notes);
    const players = await disturbance(folder, options.seconds, options.rounds);
    return { title: 'the disk tier', tables: [write, read, players], notes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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

async function reading(folder: string, capacity: number, notes: string[]): Promise<ResultTable> {
  const rows: Row[] = [];
  for (const name of ['cold page cache', 'warm page cache']) {
    if (name.startsWith('cold') && !forget(diskFile(folder))) {
      notes.push('no cold reads: dd can not make the kernel forget the file');
      continue;
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

/** Players of a hot file in memory, alone and beside players whose every block comes from disk. */
async function disturbance(folder: string, seconds: number, rounds: number): Promise<ResultTable> {
  const origin = await startNoiseOrigin();
  const edge = await startEdge({ origin: origin.url, folder, memory: '192MiB', diskSize: '2GiB' });
  // Watched twice and pushed out of memory by what is watched after it: 1 GiB on disk.
  const film = 4096;
  for (let block = 0; block < film; block += 4) {
    for (let time = 0; time < 2; time++) await range(`${edge.url}/1024/disk.mp4`, block * BLOCK_SIZE, 4 * BLOCK_SIZE);
  }
  const places = (size: number, path: string, bytes: number): Request[] =>
    Array.from({ length: 4096 }, (_, i) => {
      const start = ((Math.imul(i, 2654435761) >>> 0) % Math.floor(bytes / size)) * size;
      return { path, range: `bytes=${start}-${start + size - 1}` };
    });
  const hot = writeRequests(join(folder, 'hot'), places(65_536, '/16/hot.mp4', 16 * 2 ** 20));
  const cold = writeRequests(join(folder, 'cold'), places(BLOCK_SIZE, '/1024/disk.mp4', 0.7 * GIB));
  await load(edge.url, hot, { seconds: 1, connections: 4 });
  const rows = { alone: [] as number[], beside: [] as number[], disk: [] as number[] };
  const before = origin.bytes();
  for (let round = 0; round < rounds; round++) {
    rows.alone.push((await load(edge.url, hot, { seconds, connections: 4, seed: round })).p99 * 1000);
    const [beside, disk] = await Promise.all([
      load(edge.url, hot, { seconds, connections: 4, seed: round }),
      load(edge.url, cold, { seconds, connections: 4, seed: round }),
    ]);
    rows.beside.push(beside.p99 * 1000);
    rows.disk.push(disk.bytes / disk.seconds / 1e6);
  }
  const fetched = (origin.bytes() - before) / 1e6;
  await edge.stop();
  origin.close();
  return {
    title: '64 KiB ranges from memory, 4 connections',
    columns: [{ title: 'p99 ms', digits: 2 }, { title: 'disk MB/s' }, { title: 'origin MB' }],
    rows: [
      { name: 'alone', values: [new Sample(rows.alone), undefined, undefined] },
      { name: 'beside 4 connections from disk', values: [new Sample(rows.beside), new Sample(rows.disk), fetched] },
    ],
  };
}

async function range(url: string, start: number, length: number): Promise<void> {
  const response = await fetch(url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
  await response.arrayBuffer();
  if (response.status !== 206) throw new Error(`${url} answers ${response.status}`);
}

/** Has the kernel forget what it has read of a file. */
function forget(file: string): boolean {
  try {
    execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const MBS = { title: 'MB/s' };
const MILLISECONDS = (what: string) => ['p50', 'p99'].map(p => ({ title: `${what} ${p} ms`, digits: 2 }));

function percentiles(sorted: readonly number[]): number[] {
  return [0.5, 0.99].map(p => sorted[Math.floor(sorted.length * p)] ?? Number.NaN);
}
