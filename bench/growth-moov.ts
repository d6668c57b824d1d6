import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ByteSource } from '../src/base/byte-source.js';
import { ProgressiveMp4 } from '../src/media/mp4/progressive.js';
import { cpuSince } from './support/cpu.js';
import { startEdge } from './support/edge.js';
import { makeFilm } from './support/film.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';
import type { Server } from './support/server.js';
import { measure } from './support/steady.js';
import { writeRequests } from './support/wrk.js';

/** Places in a film that players begin at. */
const STARTS = 64;
/** Share of a film in which they lie. */
const SPREAD = 0.5;
/** Share of the movie box that each answer's header has at least, as it begins in the first half of the film. */
const HEADER = 0.45;
const MB = 1e6;

/** A film on disk. */
class FileSource implements ByteSource {
  readonly size: number;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    this.size = fstatSync(this.#descriptor).size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, length, offset));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/**
 * What the first seek and all others cost, and the memory of index and edge, by size of `moov`. `--films SECONDS,…`,
 * lengths of the films.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const { rounds, seconds, rest } = benchOptions(args, { films: '100,1000,7200,20000,52000' });
  const folder = runFolder(4 * 2 ** 30);
  const sizes: number[] = [];
  const rows: Row[] = [];
  for (const duration of rest.films!.split(',').map(Number)) {
    const film = await makeFilm({ duration });
    const index = await compile(film, rounds);
    sizes.push(index.moov / MB);
    rows.push({
      name: `${(index.moov / MB).toFixed(2)} MB`,
      values: [...(await grow(film, duration, index.moov, folder, rounds, seconds)), index.build, index.kept / 1024],
    });
  }
  const table = {
    title: '?start= into films of which moov stands first',
    axis: { title: 'MB of moov', at: sizes },
    columns: [
      { title: 'CPU µs/seek, first KB', digits: 1 },
      { title: 'CPU ms/MB of header', digits: 2 },
      { title: 'memory MiB', digits: 1 },
      { title: 'ms to the first seek ever', digits: 1 },
      { title: 'ms to the first one after a restart', digits: 1 },
      { title: 'CPU ms to build the index', digits: 1 },
      { title: 'KiB of index kept', digits: 1 },
    ],
    rows,
  };
  const notes = [
    `${STARTS} different starts in the first half of each film; the first seek ever reads moov from the origin and builds the index, which a restart finds in the catalog`,
    'memory is what belongs to no file, of all processes of the edge, while first kilobytes are asked for',
  ];
  return { title: 'growth with the size of moov', tables: [table], notes };
}

/** Size of `moov`, processor time of building its index, and the memory that the index takes, in bytes. */
async function compile(film: string, rounds: number) {
  const source = new FileSource(film);
  const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 256 * 2 ** 20 });
  const builds: number[] = [];
  let index = await format.compile(source);
  for (let round = 0; round < rounds; round++) {
    const begun = process.cpuUsage();
    index = await format.compile(source);
    builds.push(cpuSince(begun));
  }
  source.close();
  if (index === undefined) throw new Error(`${film} has no index`);
  return { moov: index.movie.size, build: new Sample(builds), kept: format.weight(index) };
}

async function grow(film: string, duration: number, moov: number, folder: string, rounds: number, seconds: number) {
  const path = `/${basename(film)}`;
  const file = join(folder, `${basename(film)}.cache`);
  const starts = Array.from({ length: STARTS }, (_, i) => ((i + 0.5) / STARTS) * SPREAD * duration);
  const list = (name: string, bytes: number) =>
    writeRequests(
      join(folder, name),
      starts.map(start => ({ path: `${path}?start=${start.toFixed(1)}`, range: `bytes=0-${Math.ceil(bytes) - 1}` })),
    );
  const headerBytes = moov * HEADER;
  const first = list('first', 1024);
  const header = list('header', headerBytes);
  const start = () => startEdge({ origin: dirname(film), folder, memory: '1GiB', memoryFile: file });
  const before = await start();
  const ever = await timeSeek(before, path, duration);
  await before.stop();
  const edge = await start();
  const again = await timeSeek(edge, path, duration);
  await measure(edge, header, 1);
  const seeks = [];
  const headers = [];
  for (let round = 0; round < rounds; round++) {
    seeks.push(await measure(edge, first, seconds, 16));
    headers.push(await measure(edge, header, seconds, 16));
  }
  await edge.stop();
  return [
    new Sample(seeks.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    new Sample(headers.map(({ cpuMicroseconds }) => cpuMicroseconds / 1000 / (headerBytes / MB))),
    new Sample(seeks.map(({ anonymous }) => anonymous / 2 ** 20)),
    ever,
    again,
  ];
}

/** Milliseconds until the first kilobyte of a seek is there. */
async function timeSeek(server: Server, path: string, duration: number): Promise<number> {
  const begun = performance.now();
  const { status } = await server.get(`${path}?start=${duration / 4}`, 'bytes=0-1023');
  if (status !== 206) throw new Error(`${server.name} answers ${status} to a seek into ${path}`);
  return performance.now() - begun;
}
