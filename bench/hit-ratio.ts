import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEdge } from './support/edge.js';
import { filmBlocks, filmTrace, type TraceOptions, type Watch } from './support/film-trace.js';
import { startNginx } from './support/nginx.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import type { Report, ResultTable, Row } from './support/report.js';
import type { Server } from './support/server.js';
import { TierModel } from './support/tier-model.js';

const BLOCK = 256 * 1024;
/** Players at once. */
const PLAYERS = 16;

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
 * What the tiers find, on a workload of films: popularity by Zipf's law, five minutes watched on average, with seeks. Memory is 1 % of all
 * films, disk 10 %. First by a model of the tiers over 20,000 films; then by the edge itself, and by nginx's slice cache with as much space as
 * both tiers together, over fewer films that fit the machine. `--films N --views N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rest } = benchOptions(args, { films: '100', views: '2500' });
  const small = { ...CATALOGUE, films: Number(rest.films), views: Number(rest.views) };
  const tables = [modelled(CATALOGUE), await measured(small)];
  return { title: 'share of blocks found in each tier, in %', tables, notes: [] };
}

function totalBlocks(options: TraceOptions): number {
  let blocks = 0;
  for (let film = 0; film < options.films; film++) blocks += filmBlocks(film, options);
  return blocks;
}

const COLUMNS = ['kept from origin %', 'memory %', 'disk %', 'origin %'].map(title => ({ title, digits: 1 }));

/** The second half of the trace, when the tiers are full. */
function modelled(options: TraceOptions): ResultTable {
  const trace = filmTrace(options);
  const blocks = totalBlocks(options);
  const memory = Math.round(blocks * 0.01);
  const disk = Math.round(blocks * 0.1);
  const rows: Row[] = [];
  for (const [name, model] of [
    ['memory only', new TierModel(memory, 0, 2)],
    ['memory and disk, 2 views', new TierModel(memory, disk, 2)],
    ['memory and disk, 1 view', new TierModel(memory, disk, 1)],
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
  return { title: `model, ${options.films} films`, columns: COLUMNS, rows };
}

async function measured(options: TraceOptions): Promise<ResultTable> {
  const trace = filmTrace(options);
  const half = Math.floor(trace.length / 2);
  const bytes = totalBlocks(options) * BLOCK;
  const memory = Math.max(64 * 2 ** 20, Math.round(bytes * 0.01));
  const disk = Math.max(64 * 2 ** 20, Math.round(bytes * 0.1));
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-bench-'));
  const origin = await startNoiseOrigin();
  const rows: Row[] = [];
  try {
    const servers: [string, () => Promise<Server>][] = [
      ['moovedge, memory only', () => startEdge({ origin: origin.url, folder, memory: sizeOf(memory) })],
      ['moovedge', () => startEdge({ origin: origin.url, folder, memory: sizeOf(memory), diskSize: sizeOf(disk) })],
      [
        'nginx slice, memory and disk',
        () =>
          startNginx('nginx slice', join(folder, 'nginx'), {
            kind: 'slice',
            origin: origin.url,
            folder: join(folder, 'slices'),
            sliceSize: BLOCK,
            cacheSize: memory + disk,
          }),
      ],
    ];
    for (const [name, start] of servers) {
      const server = await start();
      await play(server, trace.slice(0, half), options);
      const before = origin.bytes();
      const lookups = await tierLookups(server);
      const sent = await play(server, trace.slice(half), options);
      const kept = (1 - (origin.bytes() - before) / sent) * 100;
      const after = await tierLookups(server);
      const found = after?.map((count, i) => count - lookups![i]!);
      const all = found?.reduce((sum, count) => sum + count, 0) ?? 1;
      rows.push({
        name,
        values: [kept, ...(found ?? [undefined, undefined, undefined]).map(n => n && (n / all) * 100)],
      });
      await server.stop();
    }
  } finally {
    origin.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const title = `${options.films} films, ${Math.round(memory / 2 ** 20)} MiB of memory, ${Math.round(disk / 2 ** 20)} MiB of disk`;
  return { title, columns: COLUMNS, rows };
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
