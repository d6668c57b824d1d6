import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BLOCK_SIZE } from '../src/base/block.js';
import { freePort } from '../test/support/ports.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, type ResultTable, Sample } from './support/report.js';
import { Server } from './support/server.js';
import { load, type Request, writeRequests } from './support/wrk.js';

const BLOCKS = 256;

interface Measured {
  requests: number;
  cpuPerGigabyte: number;
  cpuPerThousand: number;
}

/**
 * Hits over HTTP with the least server there can be, from the shared tier, the tier of one process, and a plain buffer.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds } = benchOptions(args);
  const folder = runFolder(4 * BLOCKS * BLOCK_SIZE);
  const file = join(folder, 'file');
  writeFileSync(file, Buffer.alloc(BLOCKS * BLOCK_SIZE, 7));
  const servers: Server[] = [];
  servers.push(await start('bare uWebSockets.js', 'bare-uws.ts', file));
  servers.push(await start('tier of one process', 'tier-server.ts', 'slab', String(BLOCKS)));
  servers.push(await start('shared tier', 'tier-server.ts', join(folder, 'cache'), String(BLOCKS)));
  const tables: ResultTable[] = [];
  for (const length of [4096, BLOCK_SIZE]) {
    const list = writeRequests(join(folder, `requests-${length}`), requests(length));
    const found = new Map<Server, Measured[]>(servers.map(server => [server, []]));
    for (const server of servers) await measure(server, list, 1);
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) found.get(server)!.push(await measure(server, list, seconds));
    }
    tables.push(table(length, servers, found));
  }
  const notes = ['32 connections, one core for the server'];
  return { title: 'hits over HTTP, by where the bytes are', tables, notes };
}

async function start(name: string, script: string, ...args: string[]): Promise<Server> {
  const port = await freePort();
  const path = fileURLToPath(new URL(`./support/${script}`, import.meta.url));
  return Server.start({
    name,
    command: process.execPath,
    args: ['--import', 'tsx', path, ...args, String(port)],
    port,
  });
}

/** Ranges of `length` bytes all over the file, none across blocks. */
function requests(length: number): Request[] {
  const all: Request[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const start = block * BLOCK_SIZE + (length < BLOCK_SIZE ? (block * 12_288) % (BLOCK_SIZE - length) : 0);
    all.push({ path: '/film.mp4', range: `bytes=${start}-${start + length - 1}` });
  }
  return all;
}

async function measure(server: Server, list: string, seconds: number): Promise<Measured> {
  const before = server.cpuSeconds();
  const { requests, bytes, failed, seconds: took } = await load(server.url, list, { seconds, connections: 32 });
  if (failed > 0) throw new Error(`${server.name}: ${failed} requests failed`);
  const cpu = server.cpuSeconds() - before;
  return {
    requests: requests / took,
    cpuPerGigabyte: (cpu / bytes) * 1e12,
    cpuPerThousand: (cpu / requests) * 1e6,
  };
}

function table(length: number, servers: readonly Server[], found: ReadonlyMap<Server, Measured[]>): ResultTable {
  const sample = (server: Server, value: (measured: Measured) => number) => new Sample(found.get(server)!.map(value));
  const bare = servers[0]!;
  const ratio = (server: Server) =>
    sample(server, measured => measured.cpuPerThousand).median /
    sample(bare, measured => measured.cpuPerThousand).median;
  return {
    title: `ranges of ${length / 1024} KiB`,
    columns: [
      { title: 'requests/s' },
      { title: 'CPU ms per GB' },
      { title: 'CPU ms per 1,000', digits: 2 },
      { title: 'CPU to bare', digits: 3 },
    ],
    rows: servers.map(server => ({
      name: server.name,
      values: [
        sample(server, measured => measured.requests),
        sample(server, measured => measured.cpuPerGigabyte),
        sample(server, measured => measured.cpuPerThousand),
        ratio(server),
      ],
    })),
  };
}
