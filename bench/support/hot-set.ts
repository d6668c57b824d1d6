import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { filmBlocks, randomNumbers, type TraceOptions, type Watch } from './film-trace.js';
import { diskFolder } from './folder.js';
import { startNginx } from './nginx.js';
import { startNoiseOrigin } from './noise-origin.js';
import { BLOCK, edgeByPolicy, play } from './policy-edge.js';
import type { ResultTable, Row } from './report.js';
import type { Server } from './server.js';

/** The hot set, in films of blocks, and the tiers that it is read through. */
const FILMS = 12;
const BLOCKS = 256;
const MEMORY = 192 * 2 ** 20;
const DISK = 2048 * 2 ** 20;
const READINGS = 10;

/** Reads every block of a set in an order by chance, again and again, and tells what still comes from the origin. */
export async function readHotSet(): Promise<ResultTable> {
  const films = { films: FILMS, shortest: BLOCKS, longest: BLOCKS } as TraceOptions;
  const all: Watch[] = [];
  for (let film = 0; film < FILMS; film++) {
    for (let block = 0; block < filmBlocks(film, films); block++) all.push({ film, block, blocks: 1 });
  }
  const folder = diskFolder();
  const origin = await startNoiseOrigin();
  const servers: [string, (place: string) => Promise<Server>][] = [
    ['lru and views', place => edgeByPolicy(origin.url, place, MEMORY, DISK, false)],
    ['demand', place => edgeByPolicy(origin.url, place, MEMORY, DISK, true)],
    [
      'nginx slice',
      place =>
        startNginx('nginx slice', place, {
          kind: 'slice',
          origin: origin.url,
          folder: join(place, 'slices'),
          sliceSize: BLOCK,
          cacheSize: MEMORY + DISK,
        }),
    ],
  ];
  const rows: Row[] = [];
  try {
    for (const [name, start] of servers) {
      const random = randomNumbers(7);
      const place = join(folder, name.replaceAll(' ', '-'));
      mkdirSync(place);
      const server = await start(place);
      const values: number[] = [];
      for (let reading = 0; reading < READINGS; reading++) {
        const order = all.map(watch => ({ watch, at: random() })).sort((a, b) => a.at - b.at);
        const before = origin.bytes();
        const sent = await play(
          server,
          order.map(({ watch }) => watch),
          films,
        );
        values.push(((origin.bytes() - before) / sent) * 100);
      }
      rows.push({ name, values });
      await server.stop();
      rmSync(place, { recursive: true });
    }
  } finally {
    origin.close();
  }
  const [set, memory, disk] = [all.length * BLOCK, MEMORY, DISK].map(bytes => bytes / 2 ** 20);
  return {
    title: `from the origin in each reading of a hot set, in %: ${set} MiB, ${memory} MiB of memory, ${disk} MiB of disk`,
    columns: Array.from({ length: READINGS }, (_, i) => ({ title: String(i + 1), digits: 1 })),
    rows,
  };
}
