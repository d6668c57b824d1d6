import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BenchOptions } from './options.js';
import { type ResultTable, type Row, Sample } from './report.js';
import type { Server } from './server.js';
import { type Load, load } from './wrk.js';

/** A server that takes part, or would if its package were installed. */
export interface Contestant {
  name: string;
  /** False for what is always measured: the edge itself. */
  isPeer?: boolean;
  /** @param build another build of the edge than this checkout's, for the edge only */
  start(build?: Build): Promise<Server>;
}

/** A build of the edge that is measured beside this checkout's. */
export interface Build {
  /** As it is called in tables. */
  readonly name: string;
  /** Its command line. */
  readonly main: string;
}

/** The build in a folder, in tables beside what is called `name`. */
export function buildOf(folder: string, name: string): Build {
  return { name: `${name} of ${basename(folder)}`, main: join(folder, 'dist/cli.js') };
}

/** Name of the edge in tables. */
export const EDGE = 'moovedge';

/** One measurement of one server. */
interface Measurement extends Load {
  /** CPU seconds of the server. */
  cpu: number;
  /** Bytes of memory when it was over: all that its processes have mapped, and what of that belongs to no file. */
  resident: number;
  anonymous: number;
  /** Bytes that the origin has sent meanwhile, if that is known. */
  origin?: number;
}

/** Measurements by server, in the order of the rounds. */
export type Results = ReadonlyMap<string, readonly Measurement[]>;

/**
 * Starts those who take part. One that can't be started is left out and named in the notes. With `--against`, another
 * build of the edge takes part, too.
 */
export async function startContestants(
  contestants: readonly Contestant[],
  { peers, against }: BenchOptions,
): Promise<{ servers: Server[]; notes: string[] }> {
  const servers: Server[] = [];
  const notes: string[] = [];
  for (const { name, isPeer = true, start } of contestants) {
    if (isPeer && !peers.includes(name.split(' ')[0]!)) continue;
    try {
      servers.push(await start());
      if (name === EDGE && against !== undefined) {
        servers.push(await start(buildOf(against, EDGE)));
      }
    } catch (error) {
      if (!isPeer) throw error;
      notes.push(`${name} is left out: ${(error as Error).message.split('\n').slice(0, 4).join(' ')}`);
    }
  }
  return { servers, notes };
}

/**
 * Has files below `root` fetched whole by each server, twice, since some caches keep what is asked for again; and a
 * piece of each compared.
 * @throws Error when a server sends something else
 */
export async function warm(servers: readonly Server[], root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const file = readFileSync(join(root, path));
    const [from, to] = [Math.floor(file.length / 3), Math.floor(file.length / 2)];
    for (const server of servers) {
      const answers = [
        await server.get(path),
        await server.get(path),
        await server.get(path, `bytes=${from}-${to - 1}`),
      ];
      const good = [file, file, file.subarray(from, to)];
      for (const [i, { status, body }] of answers.entries()) {
        if (body.equals(good[i]!)) continue;
        throw new Error(`${server.name} sends something else than ${path}: status ${status}, ${body.length} bytes`);
      }
    }
  }
}

/** Fetches a file of `size` bytes. @throws Error when a server sends something else */
export async function fetchWhole(server: Server, path: string, size: number): Promise<void> {
  const { status, body } = await server.get(path);
  if (status !== 200 || body.length !== size)
    throw new Error(`${server.name} answers ${status} to ${path} with ${body.length} of ${size} bytes`);
}

/** Loads a server once. @param seed other requests for another seed; 0 when the server is only to get warm */
export type Drive = (server: Server, seed: number) => Promise<Load>;

/** Most loads of a server that is to get warm. */
const WARM_MAX = 12;

/**
 * Loads a server until it gets no faster: cold code, and memory that it touches for the first time, cost more than all
 * that is to be measured.
 * @param seconds for which it is loaded at least
 */
async function warmUp(server: Server, drive: Drive, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let best = 0;
  let steady = 0;
  for (let loads = 0; (loads < WARM_MAX && steady < 2) || performance.now() < end; loads++) {
    const { requests, seconds } = await drive(server, 0);
    steady = requests / seconds > best * 1.03 ? 0 : steady + 1;
    best = Math.max(best, requests / seconds);
  }
}

/**
 * Loads servers in several rounds in which they take turns, so that what the machine does meanwhile meets all of them.
 * @param sent bytes that their origin has sent, if that is known
 * @param warm seconds for which each works before, at least
 */
export async function takeTurns(
  servers: readonly Server[],
  drive: Drive,
  rounds: number,
  sent?: () => number,
  warm = 0,
): Promise<Results> {
  const results = new Map(servers.map(server => [server.name, [] as Measurement[]]));
  for (const server of servers) await warmUp(server, drive, warm);
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      const [cpu, origin] = [server.cpuSeconds(), sent?.()];
      const measured: Measurement = {
        ...(await drive(server, round + 1)),
        cpu: server.cpuSeconds() - cpu,
        ...server.memory(),
      };
      if (origin !== undefined) measured.origin = sent!() - origin;
      results.get(server.name)!.push(measured);
    }
  }
  return results;
}

/**
 * Sends each server the same requests in turn, as fast as it answers.
 * @param list of the requests, for each server
 * @param sent bytes that their origin has sent, if that is known
 */
export function contest(
  servers: readonly Server[],
  list: (server: Server) => string,
  { rounds, seconds, warm: before }: BenchOptions,
  connections: number,
  sent?: () => number,
): Promise<Results> {
  const drive: Drive = (server, seed) =>
    load(server.url, list(server), { seconds: seed === 0 ? 1 : seconds, connections, seed: Math.max(1, seed) });
  return takeTurns(servers, drive, rounds, sent, before);
}

/** A column of figures. */
export interface Figure {
  readonly title: string;
  readonly digits: number;
  readonly of: (m: Measurement) => number;
}

const REQUESTS: Figure = { title: 'requests/s', digits: 0, of: m => m.requests / m.seconds };
const CPU_GB: Figure = { title: 'CPU s/GB', digits: 3, of: m => m.cpu / (m.bytes / 1e9) };
/** What a thousand requests cost. */
export const CPU_1000: Figure = { title: 'CPU ms/1000', digits: 1, of: m => (m.cpu / m.requests) * 1e6 };
const P99: Figure = { title: 'p99 ms', digits: 2, of: m => m.p99 * 1e3 };
const ORIGIN: Figure = { title: 'origin MB', digits: 1, of: m => m.origin! / 1e6 };
const FIGURES: readonly Figure[] = [
  REQUESTS,
  { title: 'GB/s', digits: 2, of: m => m.bytes / m.seconds / 1e9 },
  CPU_GB,
  CPU_1000,
  { title: 'p50 ms', digits: 2, of: m => m.p50 * 1e3 },
  P99,
  { title: 'memory MiB', digits: 0, of: m => m.resident / 2 ** 20 },
  { title: 'of no file', digits: 0, of: m => m.anonymous / 2 ** 20 },
  { title: 'failed', digits: 0, of: m => m.failed },
];
/** What the edge is compared by. */
const COMPARED = [REQUESTS, CPU_GB, CPU_1000, P99];

/**
 * Results as two tables: the figures of each server, and the edge in proportion to each of the others, round by round.
 * @param first the figure that says most, which a chart shows; requests/s unless their rate is given
 */
export function resultTables(title: string, results: Results, first: Figure = REQUESTS): ResultTable[] {
  const knowsOrigin = [...results.values()].every(measurements => measurements.every(m => m.origin !== undefined));
  const shown = [first, ...FIGURES.filter(figure => figure !== first), ...(knowsOrigin ? [ORIGIN] : [])];
  const rows: Row[] = Array.from(results, ([name, measurements]) => ({
    name,
    values: shown.map(figure => new Sample(measurements.map(figure.of))),
  }));
  const edge = results.get(EDGE);
  const figures: ResultTable = { title, columns: shown, rows };
  if (edge === undefined) return [figures];
  const ratios: Row[] = [];
  for (const [name, measurements] of results) {
    if (name === EDGE) continue;
    const ratio = ({ of }: Figure) => new Sample(measurements.map((m, round) => of(edge[round]!) / of(m)));
    ratios.push({ name, values: COMPARED.map(ratio) });
  }
  if (ratios.length === 0) return [figures];
  const columns = COMPARED.map(({ title }) => ({ title, digits: 2 }));
  return [figures, { title: `${title}: ${EDGE} in proportion to`, columns, rows: ratios }];
}
