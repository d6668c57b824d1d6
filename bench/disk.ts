import { basename, join } from 'node:path';
import { BLOCK_SIZE } from '../src/base/block.js';
import { type Build, EDGE, startContestants } from './support/contest.js';
import { DEPTH, measureTier } from './support/disk-tier.js';
import { startEdge } from './support/edge.js';
import { diskFolder } from './support/folder.js';
import { rangesOf } from './support/hot.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { type BenchOptions, benchOptions } from './support/options.js';
import { paced } from './support/paced.js';
import { type Report, type ResultTable, type Row, Sample } from './support/report.js';
import type { Server } from './support/server.js';

const GIB = 2 ** 30;
/** The players' file in memory, the file on disk, and how many blocks of it. */
const HOT = '/16/hot.mp4';
const HOT_BYTES = 16 * 2 ** 20;
const COLD = '/1024/disk.mp4';
const COLD_BLOCKS = 4096;
/** Requests per second of the players that are measured, and of those beside them. */
const HOT_RATE = 300;
const BESIDE_RATE = 150;

/**
 * The disk tier on the disk of the machine's temporary folder: what its writer and its reader do by themselves, and
 * what players of memory feel of those of the disk. Builds take turns. `--size GiB`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { size: '2' });
  const capacity = Number(options.rest.size) * GIB;
  const folder = diskFolder();
  const notes = [`ring of ${options.rest.size} GiB, blocks of 256 KiB, ${DEPTH} loads asked for at once`];
  const builds = [undefined, ...(options.against === undefined ? [] : [options.against])];
  const [write, read] = [new Rows(), new Rows()];
  for (let round = 0; round < options.rounds; round++) {
    for (const build of builds) {
      const of = build === undefined ? '' : ` of ${basename(build)}`;
      const found = await measureTier({ ring: join(folder, 'ring'), capacity, build });
      for (const [name, values] of found.written) write.add(`${name}${of}`, values);
      for (const [name, values] of found.read) read.add(`${name}${of}`, values);
      notes.push(...found.notes);
    }
  }
  const players = await disturbance(folder, options, notes);
  const tables = [
    {
      title: 'written and synced',
      columns: [MBS, ...MILLISECONDS('commit'), { title: 'file % of size', digits: 1 }],
      rows: write.rows,
    },
    {
      title: 'loaded and verified',
      columns: [MBS, ...MILLISECONDS('load'), { title: 'event loop p99 ms', digits: 1 }, { title: 'failed' }],
      rows: read.rows,
    },
    players,
  ];
  return { title: 'the disk tier', tables, notes: [...new Set(notes)] };
}

/** Rows of a table whose figures are those of several rounds. */
class Rows {
  readonly #figures = new Map<string, number[][]>();

  add(name: string, values: readonly number[]): void {
    const rounds = this.#figures.get(name) ?? values.map(() => []);
    for (const [column, value] of values.entries()) rounds[column]!.push(value);
    this.#figures.set(name, rounds);
  }

  get rows(): Row[] {
    return Array.from(this.#figures, ([name, columns]) => ({ name, values: columns.map(each => new Sample(each)) }));
  }
}

/**
 * Players of a hot file in memory, alone, beside others of memory, and beside as many whose every block comes from
 * disk. All ask at a fixed rate that leaves the worker time to spare: how long an answer takes at full load says how
 * many ask, not what the disk does to them.
 */
async function disturbance(folder: string, options: BenchOptions, notes: string[]): Promise<ResultTable> {
  const { seconds, rounds } = options;
  const origin = await startNoiseOrigin();
  const admins = new Map<Server, string>();
  const start = async (build?: Build) => {
    const edge = await startEdge({ ...build, origin: origin.url, folder, memory: '192MiB', disk: '2GiB' });
    admins.set(edge, edge.adminUrl);
    return edge;
  };
  const { servers } = await startContestants([{ name: EDGE, isPeer: false, start }], options);
  const hot = rangesOf(HOT, HOT_BYTES, 65_536);
  for (const { url } of servers) {
    // Watched twice and pushed out of memory by what is watched after it: 1 GiB on disk.
    for (let block = 0; block < COLD_BLOCKS; block += 4) {
      for (let time = 0; time < 2; time++) await range(`${url}${COLD}`, block * BLOCK_SIZE, 4 * BLOCK_SIZE);
    }
    await paced(url, hot, { rate: HOT_RATE, seconds: 1 });
  }
  const loads = {
    alone: undefined,
    'beside others from memory': rangesOf(HOT, HOT_BYTES, BLOCK_SIZE),
    'beside others from disk': rangesOf(COLD, COLD_BLOCKS * 0.7 * BLOCK_SIZE, BLOCK_SIZE),
  };
  const fetched = origin.bytes();
  const table = new Rows();
  for (let round = 0; round < rounds; round++) {
    for (const { name: server, url } of servers) {
      let alone = Number.NaN;
      for (const [name, beside] of Object.entries(loads)) {
        // Each round asks for other blocks, so that those of the last are not in memory.
        const others = beside && [...beside.slice(round * 1000), ...beside.slice(0, round * 1000)];
        const [players, other] = await Promise.all([
          paced(url, hot, { rate: HOT_RATE, seconds }),
          others && paced(url, others, { rate: BESIDE_RATE, seconds }),
        ]);
        const failed = players.failed + (other?.failed ?? 0);
        if (failed > 0) throw new Error(`${failed} requests to ${server} failed`);
        const p99 = players.times.quantile(0.99);
        if (beside === undefined) alone = p99;
        table.add(`${name}${server.slice(EDGE.length)}`, [p99 / alone, players.times.median, p99]);
      }
    }
  }
  const origins = (origin.bytes() - fetched) / BLOCK_SIZE;
  let fromDisk = 0;
  for (const admin of admins.values()) {
    const { totals } = (await (await fetch(`${admin}/stats`)).json()) as { totals: { lookups: { disk: number } } };
    fromDisk += totals.lookups.disk;
  }
  notes.push(`${fromDisk} blocks came from disk and ${origins} from the origin while players were measured`);
  await Promise.all(servers.map(server => server.stop()));
  origin.close();
  return {
    title: `64 KiB ranges from memory, ${HOT_RATE} a second, beside ${BESIDE_RATE} blocks a second`,
    columns: [
      { title: 'p99 ÷ alone', digits: 2 },
      { title: 'p50 ms', digits: 2 },
      { title: 'p99 ms', digits: 2 },
    ],
    rows: table.rows,
  };
}

async function range(url: string, start: number, length: number): Promise<void> {
  const response = await fetch(url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
  await response.arrayBuffer();
  if (response.status !== 206) throw new Error(`${url} answers ${response.status}`);
}

const MBS = { title: 'MB/s' };
const MILLISECONDS = (what: string) => ['p50', 'p99'].map(p => ({ title: `${what} ${p} ms`, digits: 2 }));
