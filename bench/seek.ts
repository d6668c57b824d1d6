import { existsSync, linkSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Contestant, contest, EDGE, resultTables, startContestants } from './support/contest.js';
import { startEdge } from './support/edge.js';
import { makeFilm } from './support/film.js';
import { runFolder } from './support/folder.js';
import { startNginx } from './support/nginx.js';
import { benchOptions } from './support/options.js';
import type { Report, ResultTable } from './support/report.js';
import type { Server } from './support/server.js';
import { type Request, writeRequests } from './support/wrk.js';

const DURATION = 7200;
/** mp4_buffer_size of nginx. */
const BUFFERS = ['512k', '16m'];
/** Seconds that a player watches. */
const PLAYED = 10;
/**
 * Seconds at which players begin: enough to be different, few enough to ask each server for the size of its headers.
 */
const STARTS = Array.from({ length: 64 }, (_, i) => Math.round(((i + 0.5) / 64) * DURATION * 10) / 10);
/** So many that the edge, which keeps the plans of recent seeks, has to plan nearly all of them. */
const NEW_STARTS = Array.from(
  { length: 200_000 },
  (_, i) => Math.round(((i + 0.5) / 200_000) * DURATION * 1000) / 1000,
);

/** Films in which each key frame is sought once: more cuts than the edge keeps. */
const FILMS = 32;
/** Seconds between two key frames of the film. */
const KEY = 2;
const CUTS = Array.from({ length: (FILMS * DURATION) / KEY }, (_, i) => Math.floor(i / FILMS) * KEY + 1);

/**
 * `?start=` into a film of two hours: the first kilobyte of the answer, everything before the media, and ten seconds of
 * the film. `--parts known,new,cut,header,film --connections N`
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { connections: '16', parts: 'known,new,cut,header,film' });
  const connections = Number(options.rest.connections);
  const folder = runFolder();
  const film = await makeFilm({ duration: DURATION });
  const www = dirname(film);
  const path = `/${basename(film)}`;
  const films = linkFilms(film);

  const contestants: Contestant[] = [
    { name: EDGE, isPeer: false, start: build => startEdge({ ...build, origin: www, folder, memory: '512MiB' }) },
    ...BUFFERS.map(bufferSize => {
      const name = `nginx mp4 ${bufferSize}`;
      return { name, start: () => startNginx(name, join(folder, bufferSize), { kind: 'mp4', root: www, bufferSize }) };
    }),
  ];
  const { servers, notes } = await startContestants(contestants, options);
  const headers = new Map<Server, number[]>();
  for (const server of servers) headers.set(server, await headerSizes(server, path));

  const tables: ResultTable[] = [];
  const perSecond = statSync(film).size / DURATION;
  const one = [path];
  const works: Work[] = [
    ['known', 'first kilobyte', one, STARTS, () => 1024],
    ['new', 'first kilobyte, each start new', one, NEW_STARTS, () => 1024],
    ['cut', `first kilobyte, ${FILMS} films, nearly each key frame new`, films, CUTS, () => 1024],
    ['header', 'whole header', one, STARTS, header => header],
    ['film', `header and ${PLAYED} s`, one, STARTS, header => header + Math.round(PLAYED * perSecond)],
  ];
  const parts = options.rest.parts!.split(',');
  for (const [part, title, paths, starts, bytes] of works) {
    if (!parts.includes(part)) continue;
    const lists = new Map<Server, string>();
    for (const [server, sizes] of headers) {
      const requests = starts.map(
        (start, i): Request => ({
          path: `${paths[i % paths.length]}?start=${start}`,
          range: `bytes=0-${bytes(sizes[i] ?? 0) - 1}`,
        }),
      );
      lists.set(server, writeRequests(join(folder, `${title}-${server.name}`), requests));
    }
    const results = await contest(servers, server => lists.get(server)!, options, connections);
    tables.push(...resultTables(`${title} of ?start= in a film of 2 hours`, results));
  }
  const mean = (sizes: number[]) => Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
  for (const [server, sizes] of headers)
    notes.push(`${server.name}: headers of ${mean(sizes).toLocaleString('en')} bytes on average`);
  return { title: 'seeks', tables, notes };
}

/** What is asked for of paths in turn, and bytes of an answer, by those before its media. */
type Work = [
  part: string,
  title: string,
  paths: readonly string[],
  starts: readonly number[],
  bytes: (header: number) => number,
];

/** Paths of the film under many names, which take no room. */
function linkFilms(film: string): string[] {
  const folder = join(dirname(film), 'links');
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: FILMS }, (_, i) => {
    const name = `${i}-${basename(film)}`;
    if (!existsSync(join(folder, name))) linkSync(film, join(folder, name));
    return `/links/${name}`;
  });
}

/** Bytes before the media in the answer for each start. */
function headerSizes(server: Server, path: string): Promise<number[]> {
  return Promise.all(STARTS.map(start => headerSize(`${server.url}${path}?start=${start}`, server.name)));
}

/** Where the first `mdat` box ends its header: ISO/IEC 14496-12, section 4.2. */
async function headerSize(url: string, name: string): Promise<number> {
  let offset = 0;
  for (;;) {
    const response = await fetch(url, { headers: { range: `bytes=${offset}-${offset + 15}` } });
    if (response.status !== 206) throw new Error(`${name} answers ${response.status} to a range of ${url}`);
    const box = Buffer.from(await response.arrayBuffer());
    const size = box.readUInt32BE(0);
    if (box.toString('latin1', 4, 8) === 'mdat') return offset + (size === 1 ? 16 : 8);
    if (size < 8) throw new Error(`${name}: expected a box at ${offset} of ${url}, found size ${size}`);
    offset += size;
  }
}
