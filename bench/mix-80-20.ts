import { join } from 'node:path';
import { caches } from './support/caches.js';
import { contest, fetchWhole, resultTables, startContestants } from './support/contest.js';
import { runFolder } from './support/folder.js';
import { startSameOrigin } from './support/nginx.js';
import { benchOptions } from './support/options.js';
import type { Report } from './support/report.js';
import { type Request, writeRequests } from './support/wrk.js';

const MEBIBYTE = 2 ** 20;
const BLOCK = 256 * 1024;
const MEMORY = 512 * MEBIBYTE;
/** Files that are asked for again and again: 128 MiB of blocks. */
const HOT = 512;
/** Hits for each miss. */
const HITS = 4;

/**
 * Four requests of five for what each server has in memory, the fifth for what nobody has asked for: what an edge does
 * whose storage gives a fifth of its blocks. `--connections N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '32' });
  const connections = Number(options.rest.connections);
  const folder = runFolder(5 * MEMORY);
  const origin = await startSameOrigin(folder, BLOCK);
  const contestants = caches({ origin: origin.url, folder, memory: MEMORY });
  const { servers, notes } = await startContestants(contestants, options);
  const hot = Array.from({ length: HOT }, (_, i): Request => ({ path: `/hot-${i}.mp4` }));
  for (const server of servers) {
    // Twice, since some keep what is asked for again.
    for (const { path } of [...hot, ...hot]) await fetchWhole(server, path, BLOCK);
  }
  const cold = new Array<Request>(HOT / HITS).fill({ path: '/#.mp4' });
  const list = writeRequests(join(folder, 'requests'), [...hot, ...cold]);
  const results = await contest(servers, () => list, options, connections);
  await Promise.all([...servers, origin].map(server => server.stop()));
  return {
    title: 'four hits and a miss',
    tables: resultTables(`files of 256 KiB, ${connections} connections`, results),
    notes: [
      `${(HOT * BLOCK) / MEBIBYTE} MiB are asked for again and again; caches of ${MEMORY / MEBIBYTE} MiB`,
      'a fifth of the requests is for files that nobody has asked for, from an nginx on the core of the client',
      ...notes,
    ],
  };
}
