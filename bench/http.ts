import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/ports.js';
import { caches, nginxStatic } from './support/caches.js';
import { type Build, buildOf, type Contestant, EDGE } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { runFolder } from './support/folder.js';
import { hotContest, rangesOf } from './support/hot.js';
import { benchOptions } from './support/options.js';
import type { Report } from './support/report.js';
import { Server } from './support/server.js';

const FILE = '/film.mp4';
const FILE_SIZE = 64 * 1024 * 1024;
const CACHE_SIZE = 512 * 1024 * 1024;
const BARE = fileURLToPath(new URL('./support/bare-uws.ts', import.meta.url));

/**
 * Hot ranges of 4 KB and 256 KB at random places of a file of 64 MiB that every server holds in memory.
 * `--connections N`; `--policies`: what the memory tier's policies cost at a hit, with an edge for each of them;
 * `--engines`: with edges that listen by engine node; `--logs`: with edges that write an access log
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '64', policies: 'false', engines: 'false', logs: 'false' });
  const policies = options.rest.policies === 'false' ? [] : ['lru', 'demand'];
  const connections = Number(options.rest.connections);
  const folder = runFolder(4 * CACHE_SIZE);
  const found = await hotContest(
    {
      folder,
      files: [[FILE, FILE_SIZE]],
      contestants: (origin, root) => [
        { name: 'bare uWebSockets.js', start: () => startBare(join(root, FILE)) },
        ...nginxStatic(folder, root),
        ...caches({ origin, folder, memory: CACHE_SIZE }),
        ...policies.map(policy => edgeBy(policy, origin, folder)),
        ...(options.rest.engines === 'false' ? [] : edgesOnNode(origin, folder, options.against)),
        ...(options.rest.logs === 'false' ? [] : loggingEdges(origin, folder, options.against)),
      ],
      works: [4, 256].map(kibibytes => ({
        title: `ranges of ${kibibytes} KiB`,
        requests: rangesOf(FILE, FILE_SIZE, kibibytes * 1024),
        connections,
      })),
    },
    options,
  );
  return { title: 'hot ranges at random places of a file in memory', ...found };
}

function edgeBy(policy: string, origin: string, folder: string): Contestant {
  const name = `moovedge, ${policy}`;
  const settings = `cache: {memory: {size: ${CACHE_SIZE / 2 ** 20}MiB, file: $FOLDER/cache, policy: ${policy}}}`;
  return { name, isPeer: false, start: build => startEdge({ ...build, name, origin, folder, settings }) };
}

function edgesOnNode(origin: string, folder: string, against: string | undefined): Contestant[] {
  const memory = `${CACHE_SIZE / 2 ** 20}MiB`;
  const edge = (build: { name: string } | Build) => ({
    name: build.name,
    isPeer: false,
    start: () => startEdge({ ...build, origin, folder, memory, listen: 'engine: node' }),
  });
  const name = `${EDGE}, engine node`;
  return [edge({ name }), ...(against === undefined ? [] : [edge(buildOf(against, name))])];
}

function loggingEdges(origin: string, folder: string, against: string | undefined): Contestant[] {
  const memory = `${CACHE_SIZE / 2 ** 20}MiB`;
  const log = 'access: $FOLDER/access.log, accessRotate: {size: 64MiB, keep: 1}';
  const edge = (build: { name: string } | Build) => ({
    name: build.name,
    isPeer: false,
    start: () => startEdge({ ...build, origin, folder, memory, log }),
  });
  const name = `${EDGE}, access log`;
  return [edge({ name }), ...(against === undefined ? [] : [edge(buildOf(against, name))])];
}

async function startBare(file: string): Promise<Server> {
  const port = await freePort();
  const args = ['--import', 'tsx', BARE, file, String(port)];
  return Server.start({ name: 'bare uWebSockets.js', command: process.execPath, args, port });
}
