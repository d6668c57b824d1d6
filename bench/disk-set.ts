import { caches } from './support/caches.js';
import { contest, fetchWhole, resultTables, startContestants } from './support/contest.js';
import { randomNumbers, zipf } from './support/film-trace.js';
import { diskFolder } from './support/folder.js';
import { startNoiseOrigin } from './support/noise-origin.js';
import { benchOptions } from './support/options.js';
import type { Report } from './support/report.js';
import { type Request, writeRequests } from './support/wrk.js';

const MEBIBYTE = 2 ** 20;
const BLOCK = 256 * 1024;
const MEMORY = 192 * MEBIBYTE;
const DISK = 2048 * MEBIBYTE;
/** The hot set: so many films of so many MiB. */
const FILMS = 12;
const FILM_SIZE = 64;
const FILM_BLOCKS = (FILM_SIZE * MEBIBYTE) / BLOCK;
const READINGS = 4;
const REQUESTS = 16_384;

/**
 * Blocks of a hot set four times as large as the memory, some asked for much oftener than others; all of it fits on
 * disk. `--connections N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '16' });
  const connections = Number(options.rest.connections);
  const folder = diskFolder();
  const origin = await startNoiseOrigin();
  const { servers, notes } = await startContestants(
    caches({ origin: origin.url, folder, memory: MEMORY, disk: DISK }),
    options,
  );
  for (const server of servers) {
    // Until what was dropped, since it came faster than a disk takes it, has come again and is on disk.
    for (let time = 0; time < READINGS; time++) {
      for (let film = 0; film < FILMS; film++) await fetchWhole(server, pathOf(film), FILM_SIZE * MEBIBYTE);
    }
  }
  const list = writeRequests(`${folder}/requests`, requests());
  const results = await contest(servers, () => list, options, connections, origin.bytes);
  await Promise.all(servers.map(server => server.stop()));
  origin.close();
  const title = `blocks of 256 KiB, by Zipf's law, ${connections} connections`;
  const sizes = [FILMS * FILM_SIZE, MEMORY / MEBIBYTE, DISK / MEBIBYTE];
  return {
    title: 'a hot set larger than memory, with a disk tier',
    tables: resultTables(title, results),
    notes: [
      `a hot set of ${sizes[0]} MiB; caches of ${sizes[1]} MiB of memory and ${sizes[2]} MiB of disk`,
      "nobody's page cache is limited: what is measured is the way from a disk tier to the player, not the disk itself",
      ...notes,
    ],
  };
}

function pathOf(film: number): string {
  return `/${FILM_SIZE}/${film}.mp4`;
}

/** Blocks by popularity, all over the films. */
function requests(): Request[] {
  const blocks = FILMS * FILM_BLOCKS;
  const pick = zipf(blocks, 0.8, randomNumbers(1));
  return Array.from({ length: REQUESTS }, () => {
    const place = (Math.imul(pick() + 1, 2654435761) >>> 0) % blocks;
    const start = (place % FILM_BLOCKS) * BLOCK;
    return { path: pathOf(Math.floor(place / FILM_BLOCKS)), range: `bytes=${start}-${start + BLOCK - 1}` };
  });
}
