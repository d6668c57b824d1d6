import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EdgeOptions, startEdge } from './support/edge.js';
import { filmBlocks, filmTrace, randomNumbers, type TraceOptions, type Watch } from './support/film-trace.js';
import { diskFolder } from './support/folder.js';
import { startNginx } from './support/nginx.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import type { Report, ResultTable, Row } from './support/report.js';
import type { Server } from './support/server.js';
import { TierModel } from './support/tier-model.js';

const BLOCK = 256 * 1024;
/** Players at once: few, since what they read ahead must be little beside a memory tier that is scaled down. */
const PLAYERS = 4;

/** The hot set, and the tiers that it is read through. */
const HOT_FILMS = 12;
const HOT_BLOCKS = 256;
const HOT_MEMORY = 192 * 2 ** 20;
const HOT_DISK = 2048 * 2 ** 20;
const HOT_READINGS = 5;

/** 20,000 films of 20 to 140 minutes at 140 kbit/s, five minutes (20 blocks) watched on average. */
const CATALOGUE: TraceOptions = {
  films: 20_000,
  views: 200_000,
  shortest: 80,
  longest: 560,
  watched: 20,
  zipf: 0.8,
  seed: 1,
};

/**
 * What the tiers find, on a workload of films: popularity by Zipf's law, five minutes watched on average, with seeks.
 * Memory is 1 % of all films, disk 10 %. First by a model of the tiers over 20,000 films; then by the edge itself, and
 * by nginx's slice cache with as much space as both tiers together, over fewer films that fit the machine.
 * `--films N --views N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rest } = benchOptions(args, { films: '100', views: '2500' });
  const small = { ...CATALOGUE, films: Number(rest.films), views: Number(rest.views) };
  const tables = [modelled(CATALOGUE), await measured(small), await hotSet()];
  const note =
    "nginx's cache is bounded by its number of slices: its own look at the size, every ten seconds, comes too late in a trace this fast";
  return { title: 'share of blocks found in each tier, in %', tables, notes: [note] };
}

function totalBlocks(options: TraceOptions): number {
  let blocks = 0;
  for (let film = 0; film < options.films; film++) blocks += filmBlocks(film, options);
  return blocks;
}

const SHARES = ['kept from origin %', 'memory %', 'disk %', 'origin %'].map(title => ({ title, digits: 1 }));
const COLUMNS = [...SHARES, { title: 'space MiB' }];

function modelled(options: TraceOptions): ResultTable {
  const blocks = totalBlocks(options);
  return {
    title: `model, ${options.films} films`,
    columns: SHARES,
    rows: modelRows(options, blocks * 0.01, blocks * 0.1),
  };
}

/** The second half of the trace, when the tiers are full. Sizes in blocks. */
function modelRows(options: TraceOptions, memoryBlocks: number, diskBlocks: number): Row[] {
  const trace = filmTrace(options);
  const memory = Math.round(memoryBlocks);
  const disk = Math.round(diskBlocks);
  const rows: Row[] = [];
  for (const [name, model] of [
    ['memory only', new TierModel(memory, 0, 2)],
    ['memory and disk, 2 views', new TierModel(memory, disk, 2)],
    ['memory and disk, 1 view', new TierModel(memory, disk, 1)],
    ['one tier as large as both', new TierModel(memory + disk, 0, 1)],
  ] as const) {
    const half = Math.floor(trace.length / 2);
    for (const watch of trace.slice(0, half)) model.watch(watch);
    const before = { ...model.hits };
    for (const watch of trace.slice(half)) model.watch(watch);
    const found = [
      model.hits.memory - before.memory,
      model.hits.disk - before.disk,
      model.hits.origin - before.origin,
    ] as const;
    const all = found[0] + found[1] + found[2];
    const share = (count: number) => (count / all) * 100;
    rows.push({ name, values: [share(found[0] + found[1]), ...found.map(share)] });
  }
  return rows;
}

async function measured(options: TraceOptions): Promise<ResultTable> {
  const trace = filmTrace(options);
  const half = Math.floor(trace.length / 2);
  const bytes = totalBlocks(options) * BLOCK;
  const memory = Math.max(64 * 2 ** 20, Math.round(bytes * 0.01));
  const disk = Math.max(64 * 2 ** 20, Math.round(bytes * 0.1));
  const folder = diskFolder();
  const origin = await startNoiseOrigin();
  const rows = modelRows(options, memory / BLOCK, disk / BLOCK).map(row => ({ ...row, name: `model: ${row.name}` }));
  try {
    const servers: [string, (place: string) => Promise<Server>][] = [
      ['moovedge, memory only', place => startEdge({ origin: origin.url, folder: place, memory: sizeOf(memory) })],
      ['moovedge, lru and views', place => startEdge(edgeOptions(origin.url, place, memory, disk, false))],
      ['moovedge, demand', place => startEdge(edgeOptions(origin.url, place, memory, disk, true))],
      [
        'nginx slice',
        place =>
          startNginx('nginx slice', place, {
            kind: 'slice',
            origin: origin.url,
            folder: join(place, 'slices'),
            sliceSize: BLOCK,
            cacheSize: memory + disk,
            exact: true,
          }),
      ],
    ];
    for (const [name, start] of servers) {
      const place = join(folder, name.replaceAll(/\W+/g, '-'));
      mkdirSync(place);
      const server = await start(place);
      await play(server, trace.slice(0, half), options);
      const halfway = spaceOf(place);
      const before = origin.bytes();
      const lookups = await tierLookups(server);
      const sent = await play(server, trace.slice(half), options);
      const kept = (1 - (origin.bytes() - before) / sent) * 100;
      const after = await tierLookups(server);
      const found = after?.map((count, i) => count - lookups![i]!);
      const all = found?.reduce((sum, count) => sum + count, 0) ?? 1;
      const space = Math.max(halfway, spaceOf(place)) / 2 ** 20;
      rows.push({
        name,
        values: [kept, ...(found ?? [undefined, undefined, undefined]).map(n => n && (n / all) * 100), space],
      });
      await server.stop();
      rmSync(place, { recursive: true });
    }
  } finally {
    origin.close();
  }
  const title = `${options.films} films, ${Math.round(memory / 2 ** 20)} MiB of memory, ${Math.round(disk / 2 ** 20)} MiB of disk`;
  return { title, columns: COLUMNS, rows };
}

/** An edge with both tiers. */
function edgeOptions(origin: string, folder: string, memory: number, disk: number, byDemand: boolean): EdgeOptions {
  const policy = byDemand ? 'demand' : 'lru';
  const admit = byDemand ? 'demand' : 'views';
  const settings =
    `cache: {memory: {size: ${sizeOf(memory)}, file: $FOLDER/cache, policy: ${policy}}, ` +
    `disk: {path: $FOLDER/disk, size: ${sizeOf(disk)}, admit: ${admit}}}`;
  return { origin, folder, settings };
}

/** Reads every block of a set in an order by chance, again and again, and tells what still comes from the origin. */
async function hotSet(): Promise<ResultTable> {
  const random = randomNumbers(7);
  const options: TraceOptions = { ...CATALOGUE, films: HOT_FILMS, shortest: HOT_BLOCKS, longest: HOT_BLOCKS };
  const all: Watch[] = [];
  for (let film = 0; film < HOT_FILMS; film++) {
    for (let block = 0; block < filmBlocks(film, options); block++) all.push({ film, block, blocks: 1 });
  }
  const folder = diskFolder();
  const origin = await startNoiseOrigin();
  const rows: Row[] = [];
  try {
    for (const byDemand of [false, true]) {
      const place = join(folder, `hot-${byDemand}`);
      mkdirSync(place);
      const server = await startEdge(edgeOptions(origin.url, place, HOT_MEMORY, HOT_DISK, byDemand));
      const values: number[] = [];
      for (let reading = 0; reading < HOT_READINGS; reading++) {
        const order = all.map(watch => ({ watch, at: random() })).sort((a, b) => a.at - b.at);
        const before = origin.bytes();
        const trace = order.map(({ watch }) => watch);
        const sent = await play(server, trace, options);
        values.push(((origin.bytes() - before) / sent) * 100);
      }
      rows.push({ name: byDemand ? 'demand' : 'lru and views', values });
      await server.stop();
      rmSync(place, { recursive: true });
    }
  } finally {
    origin.close();
  }
  const columns = Array.from({ length: HOT_READINGS }, (_, i) => ({ title: `reading ${i + 1}`, digits: 1 }));
  const sizes = [(all.length * BLOCK) / 2 ** 20, HOT_MEMORY / 2 ** 20, HOT_DISK / 2 ** 20];
  return {
    title: `from the origin in each reading of a hot set, in %: ${sizes[0]} MiB, ${sizes[1]} MiB of memory, ${sizes[2]} MiB of disk`,
    columns,
    rows,
  };
}

/** Plays a trace with several players at once; returns the bytes that they got. */
async function play(server: Server, trace: readonly Watch[], options: TraceOptions): Promise<number> {
  let next = 0;
  let bytes = 0;
  const player = async () => {
    while (next < trace.length) {
      const { film, block, blocks } = trace[next++]!;
      const url = `${server.url}/${filmBlocks(film, options) / 4}/${film}.mp4`;
      const range = `bytes=${block * BLOCK}-${(block + blocks) * BLOCK - 1}`;
      const response = await fetch(url, { headers: { range } });
      if (response.status !== 206) throw new Error(`${server.name} answers ${response.status} to ${url}`);
      for await (const chunk of response.body!) bytes += chunk.length;
    }
  };
  await Promise.all(Array.from({ length: PLAYERS }, player));
  return bytes;
}

/** Blocks that the edge has found in memory, on disk and at the origin; undefined for other servers. */
async function tierLookups(server: Server & { adminUrl?: string }): Promise<number[] | undefined> {
  if (server.adminUrl === undefined) return undefined;
  const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
  return ['memory', 'disk', 'origin'].map(tier => {
    return Number(new RegExp(`^moovedge_block_lookups_total\\{tier="${tier}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  });
}

function sizeOf(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)}MiB`;
}

/** Bytes that the files below a folder take. */
function spaceOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += (statSync(join(entry.path, entry.name), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }
  return bytes;
}
