import { copyFileSync, linkSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ByteSource } from '../src/base/byte-source.js';
import { ProgressiveMp4 } from '../src/media/mp4/progressive.js';
import { Packager } from '../src/media/packaging/packager.js';
import { Planner } from '../src/media/seek/planner.js';
import { cpuSince } from './support/cpu.js';
import { startEdge } from './support/edge.js';
import { makeFilm } from './support/film.js';
import { runFolder } from './support/folder.js';
import { startFolderOrigin } from './support/folder-origin.js';
import { rangesOf } from './support/hot.js';
import { type BenchOptions, benchOptions } from './support/options.js';
import { type PackagedFilm, packagedFilm, whole } from './support/packaged-film.js';
import { PausedPlayers } from './support/paused-players.js';
import { type Report, type ResultTable, Sample } from './support/report.js';
import type { Server } from './support/server.js';
import { type Load, load, type Request, writeRequests } from './support/wrk.js';

/** Seconds of the film whose playlists are asked for, and of the one whose segments are. */
const [LONG, SHORT] = [7200, 120];
/** Bits a second of the latter's pictures. */
const BITRATE = 5_000_000;
const CONNECTIONS = 16;
/** Films whose playlists are asked for the first time, and those of them that warm the code. */
const [FIRSTS, WARM] = [60, 40];
/** Bytes of a film that hold its movie box, and milliseconds after which nobody is busy with them any more. */
const [MOVIE, SETTLED] = [8 * 2 ** 20, 2000];
/** Players that hold a segment each without reading it. */
const PLAYERS = 500;

/**
 * A film as HLS: playlists, segments and what they cost beside ranges of the film itself, from the same edge and in the
 * same rounds.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args);
  const folder = runFolder(3 * 2 ** 30);
  const [long, short] = [await makeFilm({ duration: LONG }), await makeFilm({ duration: SHORT, bitrate: BITRATE })];
  const www = join(folder, 'www');
  mkdirSync(www);
  for (const film of [long, short]) copyFileSync(film, join(www, basename(film)));
  const paths = { long: `/${basename(long)}`, short: `/${basename(short)}` };
  const edge = await startEdge({ origin: www, folder, memory: '512MiB' });
  const [film, clip] = [await packagedFilm(edge, paths.long), await packagedFilm(edge, paths.short)];
  for (const path of Object.values(paths)) await whole(edge, path);
  const sizes = { long: statSync(long).size, short: statSync(short).size };
  const tables = [
    await index(long),
    await playlists(edge, folder, film, rangesOf(paths.long, sizes.long, 4096), options),
    await segments(edge, folder, clip, paths.short, sizes.short, options),
    await memory(edge, clip.video.segments[1]!),
  ];
  await edge.stop();
  tables.push(await firstPlaylists(folder, long), await cold(short, folder));
  const notes = [
    'bars: playlists at least 0.8 of the ranges of 4 KiB; CPU of video segments at most 1.15 of ranges of 256 KiB, of a sound segment beside its bytes at most 2 of a range of 4 KiB; 64 KiB a request; a first playlist of a warm worker within 10 ms; 1.02 of the object; 60 KiB of index a track',
    'sound beside its bytes: CPU of a request less what as many bytes cost in ranges of 256 KiB',
  ];
  return { title: `packaging: films of ${LONG} s, and of ${SHORT} s at ${BITRATE / 1e6} Mb/s`, tables, notes };
}

/** What one list of requests has cost. */
interface Cost extends Load {
  readonly cpu: number;
}

/** Sends the lists to the edge, in rounds in which they take turns. */
async function inTurns(
  edge: Server,
  folder: string,
  works: Readonly<Record<string, readonly Request[]>>,
  { rounds, seconds }: BenchOptions,
): Promise<Map<string, Cost[]>> {
  const results = new Map<string, Cost[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const [name, requests] of Object.entries(works)) {
      const list = writeRequests(join(folder, `list-${name.replaceAll(/\W/g, '-')}`), requests);
      const cpu = edge.cpuSeconds();
      const found = await load(edge.url, list, { seconds, connections: CONNECTIONS, seed: round + 1 });
      if (found.failed > 0) throw new Error(`${found.failed} requests failed: ${name}`);
      // The first round warms.
      if (round > 0) results.set(name, [...(results.get(name) ?? []), { ...found, cpu: edge.cpuSeconds() - cpu }]);
    }
  }
  return results;
}

const rate = ({ requests, seconds }: Load) => requests / seconds;
const each = ({ cpu, requests }: Cost) => (cpu / requests) * 1e6;
const perGb = ({ cpu, bytes }: Cost) => cpu / (bytes / 1e9);
const kib = ({ bytes, requests }: Load) => bytes / requests / 1024;

/** Requests a second of playlists, and of ranges of 4 KiB. */
async function playlists(
  edge: Server,
  folder: string,
  { master, video }: PackagedFilm,
  ranges: readonly Request[],
  options: BenchOptions,
): Promise<ResultTable> {
  const of = (path: string) => [{ path }];
  const works = {
    'ranges of 4 KiB': ranges,
    'multivariant playlist': of(master),
    MPD: of(master.replace(/hls\.m3u8$/, 'dash.mpd')),
    'media playlist': of(video.playlist),
    'media playlist, its first 4 KiB': [{ path: video.playlist, range: 'bytes=0-4095' }],
  };
  const results = await inTurns(edge, folder, works, options);
  const base = results.get('ranges of 4 KiB')!;
  return {
    title: 'playlists from the cache',
    columns: [
      { title: 'requests/s' },
      { title: 'of ranges', digits: 2 },
      { title: 'CPU µs', digits: 1 },
      { title: 'KiB', digits: 1 },
    ],
    rows: Array.from(results, ([name, costs]) => ({
      name,
      values: [
        new Sample(costs.map(rate)),
        new Sample(costs.map((cost, i) => rate(cost) / rate(base[i]!))),
        new Sample(costs.map(each)),
        new Sample(costs.map(kib)),
      ],
    })),
  };
}

/** CPU of segments, and of ranges of the film. */
async function segments(
  edge: Server,
  folder: string,
  { video, audio }: PackagedFilm,
  path: string,
  size: number,
  options: BenchOptions,
): Promise<ResultTable> {
  const of = (paths: readonly string[]) => paths.map(each => ({ path: each }));
  const works = {
    'ranges of 256 KiB': rangesOf(path, size, 256 * 1024),
    'ranges of 4 KiB': rangesOf(path, size, 4096),
    'video segments': of(video.segments.slice(0, -1)),
    'sound segments': of(audio.segments.slice(0, -1)),
  };
  const results = await inTurns(edge, folder, works, options);
  const [large, small] = [results.get('ranges of 256 KiB')!, results.get('ranges of 4 KiB')!];
  const beside = (cost: Cost, i: number) => each(cost) - (perGb(large[i]!) * cost.bytes) / cost.requests / 1e3;
  return {
    title: 'segments',
    columns: [
      { title: 'CPU s/GB', digits: 3 },
      { title: 'of 256 KiB', digits: 2 },
      { title: 'CPU µs', digits: 1 },
      { title: 'µs beside bytes', digits: 1 },
      { title: 'of 4 KiB', digits: 2 },
      { title: 'KiB' },
    ],
    rows: Array.from(results, ([name, costs]) => ({
      name,
      values: [
        new Sample(costs.map(perGb)),
        new Sample(costs.map((cost, i) => perGb(cost) / perGb(large[i]!))),
        new Sample(costs.map(each)),
        new Sample(costs.map(beside)),
        new Sample(costs.map((cost, i) => beside(cost, i) / each(small[i]!))),
        new Sample(costs.map(kib)),
      ],
    })),
  };
}

/** Memory of requests for a segment that are not read. */
async function memory(edge: Server, segment: string): Promise<ResultTable> {
  const settled = async () => {
    await new Promise(resolve => setTimeout(resolve, 3000));
    return edge.memory().anonymous;
  };
  const empty = await settled();
  const players = new PausedPlayers(edge.port, segment);
  try {
    await players.start(PLAYERS / 2);
    const half = await settled();
    await players.start(PLAYERS / 2);
    const full = await settled();
    // The first ones may find room in a heap that had grown before they came.
    const most = Math.max((full - empty) / PLAYERS, (full - half) / (PLAYERS / 2));
    return {
      title: `${PLAYERS} requests for a segment under way`,
      columns: [{ title: 'KiB a request', digits: 1 }],
      rows: [{ name: 'moovedge', values: [most / 1024] }],
    };
  } finally {
    await players.end();
  }
}

/**
 * How long the first playlists of films take whose bytes are cached, as a player sees it, and what they cost the edge.
 * The bytes are brought before, all of them: what that leaves to do, here and there, is no part of a playlist.
 */
async function firstPlaylists(folder: string, film: string): Promise<ResultTable> {
  const www = join(folder, 'firsts');
  mkdirSync(www);
  const copy = join(www, 'film-0.mp4');
  copyFileSync(film, copy);
  for (let i = 1; i < FIRSTS; i++) linkSync(copy, join(www, `film-${i}.mp4`));
  const edge = await startEdge({ origin: www, folder, memory: '1GiB' });
  const [masters, medias]: number[][] = [[], []];
  // Only the movie box, which stands first, is needed.
  const movie = statSync(film).size > MOVIE ? `bytes=0-${MOVIE - 1}` : undefined;
  for (let i = 0; i < FIRSTS; i++) await edge.get(`/film-${i}.mp4`, movie);
  await new Promise(resolve => setTimeout(resolve, SETTLED));
  let cpu = 0;
  for (let i = 0; i < FIRSTS; i++) {
    if (i === WARM) cpu = edge.cpuSeconds();
    const path = `/film-${i}.mp4`;
    const begun = performance.now();
    const text = (await whole(edge, `${path}/hls.m3u8`)).toString();
    const got = performance.now();
    const video = /^[^#\n].*$/m.exec(text)![0];
    await whole(edge, `${path}/${video}`);
    masters!.push(got - begun);
    medias!.push(performance.now() - got);
  }
  const both = ((edge.cpuSeconds() - cpu) / (FIRSTS - WARM)) * 1000;
  await edge.stop();
  return {
    title: `first playlists of a film of ${LONG} s`,
    columns: [{ title: 'ms', digits: 1 }],
    rows: [
      { name: 'multivariant, index and all', values: [new Sample(masters!.slice(WARM))] },
      { name: 'media playlist behind it', values: [new Sample(medias!.slice(WARM))] },
      { name: 'CPU of the edge for both', values: [both] },
      { name: 'multivariant, of a worker that has just started', values: [masters![0]!] },
    ],
  };
}

/** Bytes that an origin sends while one player plays a cold film through, in proportion to the object. */
async function cold(film: string, folder: string): Promise<ResultTable> {
  const origin = await startFolderOrigin(dirname(film));
  const path = `/${basename(film)}`;
  const edge = await startEdge({ origin: origin.url, folder, memory: '512MiB' });
  const { video, audio } = await packagedFilm(edge, path);
  await Promise.all([video.init, audio.init].map(init => whole(edge, init)));
  let played = 0;
  for (const [i, segment] of video.segments.entries()) {
    const both = [segment, audio.segments[i]].flatMap(each => each ?? []);
    const bodies = await Promise.all(both.map(each => whole(edge, each)));
    played += bodies.reduce((sum, { length }) => sum + length, 0);
  }
  await edge.stop();
  await origin.close();
  const { size } = statSync(film);
  return {
    title: 'a cold film played through, pictures and sound',
    columns: [
      { title: 'origin bytes to object', digits: 4 },
      { title: 'played to object', digits: 4 },
    ],
    rows: [{ name: 'moovedge', values: [origin.sent / size, played / size] }],
  };
}

/** Bytes of the index of a long film, and the time that it takes. */
async function index(film: string): Promise<ResultTable> {
  const bytes = readFileSync(film);
  const source: ByteSource = {
    size: bytes.length,
    read: (offset, length) => new Uint8Array(bytes.subarray(offset, offset + length)),
  };
  const builds: number[] = [];
  const stored: number[] = [];
  let tracks = 0;
  for (let round = 0; round < 8; round++) {
    const planner = new Planner({
      formats: [new ProgressiveMp4({ seek: 'keyframe', maxMoov: 256 * 2 ** 20 })],
      indexMemory: 2 ** 24,
      indexTime: 10_000,
    });
    let size = 0;
    const store = {
      get: () => undefined,
      put: (_: string, __: string, value: Uint8Array) => {
        size += value.length;
      },
    };
    const packager = new Packager({ planner, memory: 2 ** 24, indexTime: 10_000, store });
    const object = { identity: 'film', etag: '"film"', lastModified: undefined, contentType: 'video/mp4', source };
    await planner.index(object);
    const begun = process.cpuUsage();
    const pack = await packager.package(object, { target: 6, shortest: 0.5 });
    builds.push(cpuSince(begun));
    stored.push(size);
    tracks = pack.tracks.length;
  }
  return {
    title: `index of a film of ${LONG} s, beside that for seeks`,
    columns: [
      { title: 'KiB a track', digits: 1 },
      { title: 'CPU ms to make', digits: 1 },
      { title: 'CPU ms the first time', digits: 1 },
    ],
    rows: [{ name: `${tracks} tracks`, values: [stored[0]! / tracks / 1024, new Sample(builds.slice(3)), builds[0]] }],
  };
}
