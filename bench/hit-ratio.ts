import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { filmBlocks, filmTrace, type TraceOptions } from './support/film-trace.js';
import { diskFolder } from './support/folder.js';
import { readHotSet } from './support/hot-set.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import { BLOCK, type Contenders, contenders, edgeByPolicy, play } from './support/policy-edge.js';
import { modelPolicies } from './support/policy-model.js';
import type { Report, ResultTable, Row } from './support/report.js';
import type { Server } from './support/server.js';

const PARTS = ['model', 'films', 'hot-set'] as const;

/** Films of 20 to 140 minutes at 140 kbit/s, five minutes (20 blocks) watched on average. */
const CATALOGUE = { shortest: 80, longest: 560, watched: 20, zipf: 0.8, seed: 1 };

/**
 * What the tiers keep from the origin, by policy. First by a model that is linked to the product's own table of demand,
 * over a matrix of catalogues and sizes, beside other policies and Belady; then by the edge itself, and by nginx's
 * slice cache with as much space as both tiers together, on films and on a hot set.
 * `--parts model,films,hot-set --films N --views N`; `--model` is short for the model alone
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rest } = benchOptions(args, { films: '60', views: '1000', parts: PARTS.join(','), model: 'false' });
  const parts = rest.model === 'false' ? rest.parts!.split(',') : ['model'];
  const unknown = parts.find(part => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`--parts: expected some of ${PARTS.join(',')}, found '${unknown}'`);
  const tables: ResultTable[] = [];
  if (parts.includes('model')) tables.push(...(await modelPolicies(diskFolder())));
  const films = { ...CATALOGUE, films: Number(rest.films), views: Number(rest.views) };
  if (parts.includes('films')) tables.push(await playFilms(films));
  if (parts.includes('hot-set')) tables.push(await readHotSet());
  const notes = [
    "on films, nginx's cache is bounded by its number of slices: its own look at the size, every ten seconds, comes too late",
    'on films, players read as fast as servers send: memory turns over in a second',
  ];
  return { title: 'what is kept from the origin, by policy', tables, notes: parts.includes('films') ? notes : [] };
}

const COLUMNS = [
  ...['kept from origin %', 'memory %', 'disk %', 'origin %'].map(title => ({ title, digits: 1 })),
  { title: 'space MiB' },
];

/** Memory of 1 % of all films, and a disk of 10 %. The second half of the trace counts, when both are full. */
async function playFilms(options: TraceOptions): Promise<ResultTable> {
  const trace = filmTrace(options);
  const half = Math.floor(trace.length / 2);
  let bytes = 0;
  for (let film = 0; film < options.films; film++) bytes += filmBlocks(film, options) * BLOCK;
  const memory = Math.max(64 * 2 ** 20, Math.round(bytes * 0.01));
  const disk = Math.max(64 * 2 ** 20, Math.round(bytes * 0.1));
  const folder = diskFolder();
  const origin = await startNoiseOrigin();
  const rows: Row[] = [];
  const servers: Contenders = [
    ['moovedge, memory only, lru', place => edgeByPolicy(origin.url, place, memory, 0, false)],
    ['moovedge, memory only, demand', place => edgeByPolicy(origin.url, place, memory, 0, true)],
    ...contenders(origin.url, memory, disk, true),
  ];
  try {
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
  const [inMemory, onDisk] = [memory, disk].map(size => Math.round(size / 2 ** 20));
  const title = `${options.films} films, ${inMemory} MiB of memory, ${onDisk} MiB of disk`;
  return { title, columns: COLUMNS, rows };
}

/** Blocks that the edge has found in memory, on disk and at the origin; undefined for other servers. */
async function tierLookups(server: Server & { adminUrl?: string }): Promise<number[] | undefined> {
  if (server.adminUrl === undefined) return undefined;
  const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
  return ['memory', 'disk', 'origin'].map(tier => {
    return Number(new RegExp(`^moovedge_block_lookups_total\\{tier="${tier}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  });
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
