import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Contestant, contest, EDGE, resultTables, startContestants } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { runFolder, writeNoise } from './support/folder.js';
import { startNginx } from './support/nginx.js';
import { benchOptions } from './support/options.js';
import type { Report, ResultTable } from './support/report.js';
import { CLIENT_CORE, freePort, Server } from './support/server.js';
import { startTrafficServer } from './support/traffic-server.js';
import { startVarnish } from './support/varnish.js';
import { type Request, writeRequests } from './support/wrk.js';

const FILE_SIZE = 64 * 1024 * 1024;
const CACHE_SIZE = 512 * 1024 * 1024;
const SLICE = 256 * 1024;
const REQUESTS = 8192;
const BARE = fileURLToPath(new URL('./support/bare-uws.ts', import.meta.url));

/** Hot ranges of 4 KB and 256 KB at random places of a file of 64 MiB that every server holds in memory. */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '64' });
  const connections = Number(options.rest.connections);
  const folder = runFolder(4 * CACHE_SIZE);
  const www = join(folder, 'www');
  mkdirSync(www);
  const file = writeNoise(join(www, 'film.mp4'), FILE_SIZE);
  const origin = await startNginx(
    'origin',
    join(folder, 'origin'),
    { kind: 'static', root: www },
    { core: CLIENT_CORE },
  );

  const contestants: Contestant[] = [
    { name: EDGE, isPeer: false, start: () => startEdge({ origin: origin.url, folder, memory: '512MiB' }) },
    { name: 'bare uWebSockets.js', start: () => startBare(file) },
    {
      name: 'nginx static',
      start: () => startNginx('nginx static', join(folder, 'static'), { kind: 'static', root: www }),
    },
    {
      name: 'nginx slice',
      start: () =>
        startNginx('nginx slice', join(folder, 'slice'), {
          kind: 'slice',
          origin: origin.url,
          folder: join(folder, 'slices'),
          sliceSize: SLICE,
          cacheSize: CACHE_SIZE,
        }),
    },
    { name: 'varnish', start: () => startVarnish(join(folder, 'varnish'), origin.url, CACHE_SIZE) },
    { name: 'trafficserver', start: () => startTrafficServer(join(folder, 'ats'), origin.url, CACHE_SIZE) },
  ];
  const { servers, notes } = await startContestants(contestants, options);
  for (const server of servers) await warm(server);

  const tables: ResultTable[] = [];
  for (const size of [4096, 256 * 1024]) {
    const list = writeRequests(join(folder, `ranges-${size}`), ranges(size));
    const results = await contest(servers, () => list, options, connections);
    tables.push(...resultTables(`ranges of ${size / 1024} KiB`, results));
  }
  return { title: 'hot ranges at random places of a file in memory', tables, notes };
}

/** Ranges of `size` bytes that begin at multiples of it. */
function ranges(size: number): Request[] {
  const places = FILE_SIZE / size;
  return Array.from({ length: REQUESTS }, (_, i) => {
    const start = (Math.imul(i, 2654435761) >>> 0) % places;
    return { path: '/film.mp4', range: `bytes=${start * size}-${(start + 1) * size - 1}` };
  });
}

async function startBare(file: string): Promise<Server> {
  const port = await freePort();
  const args = ['--import', 'tsx', BARE, file, String(port)];
  return Server.start({ name: 'bare uWebSockets.js', command: process.execPath, args, port });
}

/** Has the whole file fetched, twice: some caches keep what is asked for again. */
async function warm(server: Server): Promise<void> {
  for (let time = 0; time < 2; time++) {
    const response = await fetch(`${server.url}/film.mp4`);
    const bytes = await response.arrayBuffer();
    if (bytes.byteLength !== FILE_SIZE)
      throw new Error(`${server.name} sends ${bytes.byteLength} bytes of ${FILE_SIZE}`);
  }
}
