import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { filmBlocks, randomNumbers, type TraceOptions, type Watch } from './film-trace.js';
import { diskFolder } from './folder.js';
import { startNoiseOrigin } from './noise-origin.js';
import { BLOCK, contenders, play } from './policy-edge.js';
import type { ResultTable, Row } from './report.js';

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
  const rows: Row[] = [];
  try {
    for (const [name, start] of contenders(origin.url, MEMORY, DISK)) {
      const random = randomNumbers(7);
      const place = join(folder, name.replaceAll(/\W+/g, '-'));
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
