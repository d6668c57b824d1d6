import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/ports.js';
import { caches } from './support/caches.js';
import { type Contestant, contest, EDGE, resultTables, startContestants } from './support/contest.js';
import { runFolder } from './support/folder.js';
import { missFloor } from './support/miss-floor.js';
import { startSameOrigin } from './support/nginx.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { type BenchOptions, benchOptions } from './support/options.js';
import { type Report, type ResultTable, Sample } from './support/report.js';
import { onClientCore, Server } from './support/server.js';
import { Viewer } from './support/viewer.js';
import { writeRequests } from './support/wrk.js';

const BLOCK = 256 * 1024;
const CACHE_SIZE = 512 * 1024 * 1024;
const DIRECT = 'origin direct';
const PROXY = fileURLToPath(new URL('./support/bare-proxy.ts', import.meta.url));
/** A film long enough that no block of it is asked for twice, in MiB and in blocks. */
const FILM_SIZE = 64 * 1024;
const FILM_BLOCKS = FILM_SIZE * 4;

/** A server that is asked: an edge, or the origin itself. */
type Asked = Pick<Server, 'name' | 'port'>;

/** Where the next request goes: somewhere nobody has been. */
type Fresh = (server: Asked) => { path: string; block: number };

/** Milliseconds from the request, and from the origin's first byte, to the player's first byte. */
interface Delays {
  readonly asked: number[];
  readonly origin: number[];
}

/**
 * Blocks that nobody has asked for: how soon the first byte comes, one request at a time and with `--players` at once,
 * and what a load of nothing but misses costs. The origin of the first notes when it writes its first byte; it runs in
 * the client's process, so that there is one clock. `--players N --connections N --parts first,load,films`.
 * With `--warm 20` V8 compiles next to nothing any more.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { players: '16', connections: '32', parts: Object.keys(PARTS).join() });
  const parts: Part[] = [];
  for (const name of options.rest.parts!.split(',')) parts.push(await PARTS[name as keyof typeof PARTS](options));
  const notes = [
    'first bytes: blocks of 256 KiB; "after origin" is the time from the first byte that the origin writes to the first one that the player gets',
    'load: files of 256 KiB, or of 16 MiB, each asked for once, from an nginx that shares the core of the client',
    'bare proxy: what the front end and the HTTP client of the edge take alone (support/bare-proxy.ts)',
    'bare: the least that receiving, copying, summing up and sending costs on this machine (support/miss-floor.cc)',
    ...new Set(parts.flatMap(part => part.notes)),
  ];
  return { title: 'what nobody has asked for', tables: parts.flatMap(part => part.tables), notes };
}

type Part = Pick<Report, 'tables' | 'notes'>;

const PARTS = {
  first: firstBytes,
  load: (options: BenchOptions) => missLoad(options, 'nothing but misses', BLOCK, Number(options.rest.connections)),
  films: (options: BenchOptions) => missLoad(options, 'nothing but misses, films of 16 MiB', 16 * 2 ** 20, 8),
};

async function firstBytes(options: BenchOptions): Promise<Part> {
  const folder = runFolder(4 * CACHE_SIZE);
  const began = new Map<string, number>();
  const origin = await startNoiseOrigin((path, start) => began.set(`${path} ${start}`, performance.now()));
  const { servers, notes } = await startContestants(
    [...contestants(origin.url, folder), bareProxy(origin.url)],
    options,
  );
  const direct: Asked = { name: DIRECT, port: Number(new URL(origin.url).port) };
  const players = Number(options.rest.players);
  let made = 0;
  const file: Fresh = () => ({ path: `/0.25/${made++}.mp4`, block: 0 });
  const block: Fresh = ({ name }) => ({
    path: `/${FILM_SIZE}/${encodeURIComponent(name)}.mp4`,
    // A permutation: the multiplier has no divisor in common with the number of blocks.
    block: (made++ * 40_503) % FILM_BLOCKS,
  });
  // Others than these fetch the whole film for any of its blocks.
  const slicing = servers.filter(({ name }) => [EDGE, 'nginx', 'bare'].includes(name.split(' ')[0]!));
  const tables: ResultTable[] = [];
  for (const [title, asked, fresh] of [
    ['first block of a film', servers, file],
    ['another block of a film', slicing, block],
  ] as const) {
    for (const count of [1, players]) {
      const results = await onClientCore(() => ask([direct, ...asked], fresh, count, options, began));
      tables.push(delayTable(`${title}, ${count === 1 ? 'one player' : `${count} players`}`, results));
    }
  }
  await Promise.all(servers.map(server => server.stop()));
  origin.close();
  return { tables, notes };
}

function bareProxy(origin: string): Contestant {
  const name = 'bare proxy of uWebSockets.js and undici';
  return {
    name,
    async start() {
      const port = await freePort();
      const args = ['--import', 'tsx', PROXY, origin, String(port)];
      return Server.start({ name, command: process.execPath, args, port });
    },
  };
}

/** Of nginx once: bytes that come from the origin go to the player from memory, with sendfile or without. */
function contestants(origin: string, folder: string): Contestant[] {
  return caches({ origin, folder, memory: CACHE_SIZE }).filter(({ name }) => !name.endsWith('sendfile'));
}

/** Asks the servers in turn. @param players who ask at once; several rest in between, for a load that is no rush */
async function ask(
  servers: readonly Asked[],
  fresh: Fresh,
  players: number,
  { rounds, seconds, warm }: BenchOptions,
  began: Map<string, number>,
): Promise<Map<string, Delays[]>> {
  const results = new Map(servers.map(({ name }) => [name, [] as Delays[]]));
  for (let round = -1; round < rounds; round++) {
    for (const server of servers) {
      const delays: Delays = { asked: [], origin: [] };
      const end = performance.now() + (round < 0 ? warm : seconds) * 1000;
      const play = async () => {
        const viewer = await Viewer.connect(server.port);
        while (performance.now() < end) {
          const { path, block } = fresh(server);
          const start = block * BLOCK;
          const { asked, first } = await viewer.watch(path, `bytes=${start}-${start + BLOCK - 1}`);
          const key = `${path} ${start}`;
          delays.asked.push(first - asked);
          delays.origin.push(first - (began.get(key) ?? Number.NaN));
          began.delete(key);
          if (players > 1) await new Promise(resolve => setTimeout(resolve, Math.random() * 100));
        }
        viewer.leave();
      };
      await Promise.all(Array.from({ length: players }, play));
      if (round >= 0) results.get(server.name)!.push(delays);
    }
  }
  return results;
}

function delayTable(title: string, results: ReadonlyMap<string, readonly Delays[]>): ResultTable {
  const sample = (all: readonly Delays[], key: keyof Delays, share: number) =>
    new Sample(all.map(delays => new Sample(delays[key]).quantile(share)));
  const digits = 2;
  return {
    title,
    columns: [
      { title: 'after origin p50 ms', digits },
      { title: 'p99 ms', digits },
      { title: 'first byte p50 ms', digits },
      { title: 'p99 ms', digits },
      { title: 'requests' },
    ],
    rows: Array.from(results, ([name, all]) => ({
      name,
      values: [
        sample(all, 'origin', 0.5),
        sample(all, 'origin', 0.99),
        sample(all, 'asked', 0.5),
        sample(all, 'asked', 0.99),
        all.reduce((sum, { asked }) => sum + asked.length, 0),
      ],
    })),
  };
}

/** @param size bytes of each file that is asked for once */
async function missLoad(options: BenchOptions, title: string, size: number, connections: number): Promise<Part> {
  const folder = runFolder(4 * CACHE_SIZE);
  const origin = await startSameOrigin(folder, size);
  const all = [...contestants(origin.url, folder), missFloor(origin.url, folder, CACHE_SIZE)];
  const { servers, notes } = await startContestants(all, options);
  const list = writeRequests(join(folder, 'requests'), [{ path: '/#.mp4' }]);
  const results = await contest(servers, () => list, options, connections);
  await Promise.all([...servers, origin].map(server => server.stop()));
  return { tables: resultTables(title, results), notes };
}
