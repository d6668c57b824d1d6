import type { BenchOptions } from './options.js';
import { type ResultTable, type Row, Sample } from './report.js';
import type { Server } from './server.js';
import { type Load, load } from './wrk.js';

/** A server that takes part, or would if its package were installed. */
export interface Contestant {
  name: string;
  /** False for what is always measured: the edge itself. */
  isPeer?: boolean;
  start(): Promise<Server>;
}

/** Name of the edge in tables. */
export const EDGE = 'moovedge';

/** One measurement of one server. */
interface Measurement extends Load {
  /** CPU seconds of the server. */
  cpu: number;
  /** Bytes of memory when it was over. */
  resident: number;
}

/** Measurements by server, in the order of the rounds. */
export type Results = ReadonlyMap<string, readonly Measurement[]>;

/** Starts those who take part. One that can't be started is left out and named in the notes. */
export async function startContestants(
  contestants: readonly Contestant[],
  { peers }: BenchOptions,
): Promise<{ servers: Server[]; notes: string[] }> {
  const servers: Server[] = [];
  const notes: string[] = [];
  for (const { name, isPeer = true, start } of contestants) {
    if (isPeer && peers !== undefined && !peers.some(peer => name === peer || name.startsWith(`${peer} `))) continue;
    try {
      servers.push(await start());
    } catch (error) {
      if (!isPeer) throw error;
      notes.push(`${name} is left out: ${(error as Error).message.split('\n').slice(0, 4).join(' ')}`);
    }
  }
  return { servers, notes };
}

/**
 * Sends each server the same requests, in several rounds in which they take turns, so that what the machine does meanwhile meets all of them.
 * @param list of the requests, for each server
 */
export async function contest(
  servers: readonly Server[],
  list: (server: Server) => string,
  { rounds, seconds }: BenchOptions,
  connections: number,
): Promise<Results> {
  const results = new Map(servers.map(server => [server.name, [] as Measurement[]]));
  for (const server of servers) await load(server.url, list(server), { seconds: 1, connections });
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      const before = server.cpuSeconds();
      const measured = await load(server.url, list(server), { seconds, connections, seed: round + 1 });
      const cpu = server.cpuSeconds() - before;
      results.get(server.name)!.push({ ...measured, cpu, resident: server.memory().resident });
    }
  }
  return results;
}

const FIGURES: readonly { title: string; digits: number; of(m: Measurement): number }[] = [
  { title: 'requests/s', digits: 0, of: m => m.requests / m.seconds },
  { title: 'GB/s', digits: 2, of: m => m.bytes / m.seconds / 1e9 },
  { title: 'CPU s/GB', digits: 3, of: m => m.cpu / (m.bytes / 1e9) },
  { title: 'CPU ms/1000', digits: 1, of: m => (m.cpu / m.requests) * 1e6 },
  { title: 'p50 ms', digits: 2, of: m => m.p50 * 1e3 },
  { title: 'p99 ms', digits: 2, of: m => m.p99 * 1e3 },
  { title: 'memory MiB', digits: 0, of: m => m.resident / 2 ** 20 },
  { title: 'failed', digits: 0, of: m => m.failed },
];

/** Results as two tables: the figures of each server, and the edge in proportion to each of the others, round by round. */
export function resultTables(title: string, results: Results): ResultTable[] {
  const rows: Row[] = Array.from(results, ([name, measurements]) => ({
    name,
    values: FIGURES.map(figure => new Sample(measurements.map(figure.of))),
  }));
  const edge = results.get(EDGE);
  const figures: ResultTable = { title, columns: FIGURES, rows };
  if (edge === undefined) return [figures];
  const ratios: Row[] = [];
  for (const [name, measurements] of results) {
    if (name === EDGE) continue;
    const ratio = (of: (m: Measurement) => number) =>
      new Sample(measurements.map((m, round) => of(edge[round]!) / of(m)));
    ratios.push({ name, values: [ratio(FIGURES[0]!.of), ratio(FIGURES[3]!.of), ratio(FIGURES[5]!.of)] });
  }
  const columns = [
    { title: 'requests/s', digits: 2 },
    { title: 'CPU/request', digits: 2 },
    { title: 'p99', digits: 2 },
  ];
  return [figures, { title: `${title}: ${EDGE} in proportion to`, columns, rows: ratios }];
}
