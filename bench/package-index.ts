import { readFileSync } from 'node:fs';
import { ProgressiveMp4 } from '../src/media/mp4/progressive.js';
import { encodePackage, packageWeight } from '../src/media/packaging/package-bytes.js';
import { Packager } from '../src/media/packaging/packager.js';
import { Planner } from '../src/media/seek/planner.js';
import { CopyingSource } from './support/copying-source.js';
import { cpuSince } from './support/cpu.js';
import { makeFilm } from './support/film.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

/** Packages that are made before any is timed, and in a round. */
const WARM = 20;
const PACKAGES = 20;
/** Bytes; enough for all packages of a run. */
const MEMORY = 256 * 1024 * 1024;

/**
 * `--film SECONDS`. What it takes to cut a 2-hour film into segments, to keep and store that, and to read the samples
 * of a segment.
 */
export async function run(args: string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { film: '7200' });
  const source = new CopyingSource(new Uint8Array(readFileSync(await makeFilm({ duration: Number(rest.film) }))));
  const formats = [new ProgressiveMp4({ seek: 'keyframe', maxMoov: MEMORY })];
  const planner = new Planner({ formats, indexMemory: MEMORY, indexTime: 10_000 });
  const packager = new Packager({ planner, memory: MEMORY, indexTime: 10_000 });
  const object = { identity: 'film', etag: '"film"', lastModified: undefined, contentType: 'video/mp4', source };
  // No two targets are the same, so that none is known.
  let made = 0;
  const pack = () => packager.package(object, { target: 6 + ++made * 1e-9, shortest: 0.5 });
  const first = await milliseconds(pack);
  await repeat(WARM, pack);
  const packages: number[] = [];
  while (packages.length < rounds) packages.push((await milliseconds(() => repeat(PACKAGES, pack))) / PACKAGES);
  const film = await pack();
  const rows: Row[] = [];
  for (const track of film.tracks) {
    const { count, samples } = track.segments;
    const all = () => repeat(count, row => packager.samples(object, track, samples[row]!, samples[row + 1]!));
    await all();
    const reads: number[] = [];
    while (reads.length < rounds) reads.push(((await milliseconds(all)) * 1000) / count);
    const alone = { ...film, tracks: [track] };
    const kept = [packageWeight(alone) / 1024, encodePackage(alone).length / 1024];
    rows.push({ name: track.kind, values: [count, ...kept, new Sample(reads)] });
  }
  return {
    title: `a film of ${rest.film} s cut into segments of 6 s`,
    tables: [
      {
        title: 'all tracks',
        columns: [
          { title: 'first package CPU ms', digits: 1 },
          { title: 'package CPU ms', digits: 1 },
        ],
        rows: [{ name: 'film', values: [first, new Sample(packages)] }],
      },
      {
        title: 'a track',
        columns: [
          { title: 'segments' },
          { title: 'kept KiB', digits: 1 },
          { title: 'stored KiB', digits: 1 },
          { title: 'samples of a segment, CPU µs', digits: 1 },
        ],
        rows,
      },
    ],
    notes: ['bars: at most 10 ms for the package of a film that a warm worker meets, 60 KB kept of a track'],
  };
}

async function repeat(times: number, what: (i: number) => unknown): Promise<void> {
  for (let i = 0; i < times; i++) await what(i);
}

async function milliseconds(what: () => unknown): Promise<number> {
  const begun = process.cpuUsage();
  await what();
  return cpuSince(begun);
}
