import { join } from 'node:path';
import { startEdge } from './edge.js';
import { filmBlocks, type TraceOptions, type Watch } from './film-trace.js';
import { runFolder } from './folder.js';
import { startNginx } from './nginx.js';
import { RangePlayer } from './range-player.js';
import type { Server } from './server.js';

export const BLOCK = 256 * 1024;
/** Players at once: few, since what they read ahead must be little beside a memory tier that is scaled down. */
const PLAYERS = 4;

/**
 * An edge with tiers of so many bytes, which both decide by demand or by the past.
 * @param folder where it keeps all but its memory tier
 * @param disk 0: none
 */
export function edgeByPolicy(origin: string, folder: string, memory: number, disk: number, byDemand: boolean) {
  const size = (bytes: number) => `${Math.round(bytes / 2 ** 20)}MiB`;
  const policy = byDemand ? 'demand' : 'lru';
  const admit = byDemand ? 'demand' : 'views';
  const tier = disk > 0 ? `, disk: {path: $FOLDER/disk, size: ${size(disk)}, admit: ${admit}}` : '';
  const file = join(runFolder(memory), 'cache');
  const settings = `cache: {memory: {size: ${size(memory)}, file: ${file}, policy: ${policy}}${tier}}`;
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
  let next = 0;
  let bytes = 0;
  const watch = async () => {
    const player = new RangePlayer(server);
    while (next < trace.length) {
      const { film, block, blocks } = trace[next++]!;
      const path = `/${filmBlocks(film, options) / 4}/${film}.mp4`;
      const length = await player.read(path, block * BLOCK, blocks * BLOCK);
      bytes += length;
    }
    player.close();
  };
  await Promise.all(Array.from({ length: PLAYERS }, watch));
  return bytes;
}
