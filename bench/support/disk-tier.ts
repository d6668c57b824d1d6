import { fork, spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE, type ObjectId } from '../../src/base/block.js';
import { silentLog } from '../../src/base/log.js';
import { told } from '../../test/support/told.js';

/** What is measured. */
interface DiskTask {
  /** Folder of the ring; it is removed afterwards. */
  readonly ring: string;
  /** Bytes. */
  readonly capacity: number;
  /** Folder of another build of the edge, whose modules are measured in place of this checkout's. */
  readonly build?: string | undefined;
}

/** Rows of a table: a name, and figures in the order of the columns. */
type Figures = (readonly [name: string, values: readonly number[]])[];

/** What was found. */
interface DiskFigures {
  /** MB/s, commits' p50 and p99 in ms, the file in % of its size. */
  readonly written: Figures;
  /** MB/s, loads' p50 and p99 in ms, the event loop's p99 in ms, loads that failed. */
  readonly read: Figures;
  readonly notes: readonly string[];
}

/** Loads that are asked for at once. */
export const DEPTH = 8;
const LOADS = 3000;

/** Measures writer and reader of the disk tier, in a process of their own: a process may hold no more than one LMDB. */
export async function measureTier(task: DiskTask): Promise<DiskFigures> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(task)]);
  return told<DiskFigures>(child);
}

type DiskModules = typeof import('../../src/cache/disk/disk-reader.js') &
  typeof import('../../src/cache/disk/disk-store.js') &
  typeof import('../../src/cache/disk/disk-writer.js') &
  typeof import('../../src/store/examination.js');

/** The modules of a build, which must have them in the same places. */
async function modulesOf(build: string | undefined): Promise<DiskModules> {
  const root = build === undefined ? fileURLToPath(new URL('../../src', import.meta.url)) : join(build, 'dist');
  const ending = build === undefined ? 'ts' : 'js';
  const names = ['cache/disk/disk-reader', 'cache/disk/disk-store', 'cache/disk/disk-writer', 'store/examination'];
  const modules = await Promise.all(names.map(name => import(join(root, `${name}.${ending}`)) as Promise<object>));
  return Object.assign({}, ...modules) as DiskModules;
}

function objectId(n: number): ObjectId {
  return Uint32Array.from([n, 1, 2, 3]) as ObjectId;
}

/** Blocks of a ring's first turn, and of its second, where each takes the place of an old one. */
async function writing(modules: DiskModules, { ring, capacity }: DiskTask): Promise<Figures> {
  const rows: [string, number[]][] = [];
  const writer = new modules.DiskWriter({ folder: ring, capacity, log: silentLog });
  const bytes = new Uint8Array(BLOCK_SIZE).fill(1);
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
    rows.push([name, [(blocks * BLOCK_SIZE) / 1e6 / seconds, ...percentiles(times), size * 100]]);
  }
  await writer.close();
  return rows;
}

/**
 * Reads blocks in no order: with nothing of the file in the page cache; with what the examination of a tier brings in
 * at each start of an edge, which is the trees, and what the disk reads ahead with them; and with all of it.
 */
async function reading(modules: DiskModules, { ring: folder, capacity }: DiskTask, notes: string[]): Promise<Figures> {
  const rows: [string, number[]][] = [];
  const file = modules.diskFile(folder);
  for (const name of ['cold page cache', 'cold but for the trees', 'warm page cache']) {
    if (name.startsWith('cold')) {
      if (!forget(file)) {
        notes.push('no cold reads: dd can not make the kernel forget the file');
        continue;
      }
      if (name.includes('trees')) await modules.examine(modules.diskStoreOptions(folder, capacity, silentLog));
      notes.push(`${name}: ${residentShare(file)} % of the file in memory; the machine below may hold more`);
    }
    const reader = new modules.DiskReader({ folder, capacity, log: silentLog, concurrency: 4 });
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
        const found = await new Promise<boolean>(resolve => reader.load(objectId(1), block, BLOCK_SIZE, resolve));
        if (found) times.push(performance.now() - before);
        else failed++;
      }
    };
    await Promise.all(Array.from({ length: DEPTH }, loadOne));
    const seconds = (performance.now() - begun) / 1000;
    delay.disable();
    reader.close();
    times.sort((a, b) => a - b);
    rows.push([
      name,
      [(times.length * BLOCK_SIZE) / 1e6 / seconds, ...percentiles(times), delay.percentile(99) / 1e6, failed],
    ]);
  }
  return rows;
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

function percentiles(sorted: readonly number[]): number[] {
  return [0.5, 0.99].map(p => sorted[Math.floor(sorted.length * p)] ?? Number.NaN);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const task = JSON.parse(process.argv[2]!) as DiskTask;
  const modules = await modulesOf(task.build);
  const notes: string[] = [];
  const written = await writing(modules, task);
  const read = await reading(modules, task, notes);
  rmSync(task.ring, { recursive: true });
  process.send!({ written, read, notes } satisfies DiskFigures, () => process.exit());
}
