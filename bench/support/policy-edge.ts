import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { startEdge } from './edge.js';
import { filmBlocks, type TraceOptions, type Watch } from './film-trace.js';
import { startNginx } from './nginx.js';
import type { Server } from './server.js';

export const BLOCK = 256 * 1024;
/** Players at once: few, since what they read ahead must be little beside a memory tier that is scaled down. */
const PLAYERS = 4;

/** An edge with tiers of so many bytes, which both decide by demand or by the past. @param disk 0: none */
export function edgeByPolicy(origin: string, folder: string, memory: number, disk: number, byDemand: boolean) {
  const size = (bytes: number) => `${Math.round(bytes / 2 ** 20)}MiB`;
  const policy = byDemand ? 'demand' : 'lru';
  const admit = byDemand ? 'demand' : 'views';
  const tier = disk > 0 ? `, disk: {path: $FOLDER/disk, size: ${size(disk)}, admit: ${admit}}` : '';
  const settings = `cache: {memory: {size: ${size(memory)}, file: $FOLDER/cache, policy: ${policy}}${tier}}`;
  return startEdge({ origin, folder, settings });
}

/** Servers by their names, each with a folder of its own. */
export type Contenders = [name: string, start: (place: string) => Promise<Server>][];

/**
 * Edges with tiers of so many bytes by each policy, and nginx's slice cache with as much space as both tiers.
 * @param exact as nginx's role has it
 */
export function contenders(origin: string, memory: number, disk: number, exact = false): Contenders {
  const slices = { kind: 'slice', origin, sliceSize: BLOCK, cacheSize: memory + disk, exact } as const;
  return [
    ['moovedge, lru and views', place => edgeByPolicy(origin, place, memory, disk, false)],
    ['moovedge, demand', place => edgeByPolicy(origin, place, memory, disk, true)],
    ['nginx slice', place => startNginx('nginx slice', place, { ...slices, folder: join(place, 'slices') })],
  ];
}

/** Plays a trace with several players at once; returns the bytes that they got. */
export async function play(server: Server, trace: readonly Watch[], options: TraceOptions): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: PLAYERS });
  let next = 0;
  let bytes = 0;
  const player = async () => {
    while (next < trace.length) {
      const { film, block, blocks } = trace[next++]!;
      const url = `${server.url}/${filmBlocks(film, options) / 4}/${film}.mp4`;
      const length = await read(agent, url, block * BLOCK, blocks * BLOCK);
      bytes += length;
    }
  };
  await Promise.all(Array.from({ length: PLAYERS }, player));
  agent.destroy();
  return bytes;
}

/** Reads a range and lets it go; returns its length. */
function read(agent: Agent, url: string, start: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { range: `bytes=${start}-${start + length - 1}` };
    const request = get(url, { agent, headers }, response => {
      if (response.statusCode !== 206) reject(new Error(`${response.statusCode} for a range of ${url}`));
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve(bytes));
      response.on('error', reject);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      // The server closed a connection that had been idle, just as it was used again.
      if (request.reusedSocket && error.code === 'ECONNRESET') resolve(read(agent, url, start, length));
      else reject(error);
    });
  });
}
