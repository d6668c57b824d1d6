import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Contestant, contest, resultTables, startContestants, warm } from './contest.js';
import { writeNoise } from './folder.js';
import { startFolderOrigin } from './folder-origin.js';
import type { BenchOptions } from './options.js';
import type { Report, ResultTable } from './report.js';
import { type Request, writeRequests } from './wrk.js';

/** Requests of one kind. */
export interface Work {
  readonly title: string;
  readonly requests: readonly Request[];
  /** Connections with one request each at a time. */
  readonly connections: number;
}

/** What a contest over hot files is made of. */
export interface HotContest {
  /** Where everything lies, in memory. */
  readonly folder: string;
  /** Files of the origin: paths and bytes. */
  readonly files: readonly (readonly [path: string, size: number])[];
  /** @param origin URL of the origin of all caches; @param root folder of its files */
  readonly contestants: (origin: string, root: string) => readonly Contestant[];
  readonly works: readonly Work[];
}

/** Has servers send what all of them hold. The origin is down meanwhile, so that none can pass a request on. */
export async function hotContest(
  { folder, files, contestants, works }: HotContest,
  options: BenchOptions,
): Promise<Pick<Report, 'tables' | 'notes'>> {
  const root = join(folder, 'www');
  mkdirSync(root);
  for (const [path, size] of files) writeNoise(join(root, path), size);
  const origin = await startFolderOrigin(root);
  const { servers, notes } = await startContestants(contestants(origin.url, root), options);
  const paths = files.map(([path]) => path);
  await warm(servers, root, paths);
  await origin.close();
  const tables: ResultTable[] = [];
  for (const [number, { title, requests, connections }] of works.entries()) {
    const list = writeRequests(join(folder, `requests-${number}`), requests);
    const results = await contest(servers, () => list, options, connections);
    tables.push(...resultTables(`${title}, ${connections} connections`, results));
  }
  await Promise.all(servers.map(server => server.stop()));
  return { tables, notes };
}

/** Ranges of `size` bytes that begin at multiples of it, all over a file. */
export function rangesOf(path: string, fileSize: number, size: number, count = 8192): Request[] {
  const places = Math.floor(fileSize / size);
  return Array.from({ length: count }, (_, i) => {
    const start = ((Math.imul(i, 2654435761) >>> 0) % places) * size;
    return { path, range: `bytes=${start}-${start + size - 1}` };
  });
}
