import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MovieIndex } from '../src/media/mp4/index/movie-index.js';
import { ProgressiveMp4 } from '../src/media/mp4/progressive.js';
import type { MediaObject } from '../src/media/seek/media.js';
import type { VirtualFile } from '../src/virtual-file/virtual-file.js';
import { CopyingSource } from './support/copying-source.js';
import { cpuSince } from './support/cpu.js';
import { makeFilm } from './support/film.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';

/** Plans timed for one value. */
const PLANS = 5000;
/** Plans held at once when their memory is measured. */
const HELD = 10_000;
const OPTIONS = { maxMoov: 256 * 1024 * 1024 };

/**
 * `--film SECONDS`. Index of a 2-hour film: what it takes to build and to keep. Seeks into it: time, spans and memory
 * of a plan.
 */
export async function run(args: string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { film: '7200' });
  const bytes = new Uint8Array(readFileSync(await makeFilm({ duration: Number(rest.film) })));
  const source = new CopyingSource(bytes);
  const object: MediaObject = {
    identity: 'film',
    etag: '"film"',
    lastModified: undefined,
    contentType: 'video/mp4',
    source,
  };
  const format = new ProgressiveMp4({ seek: 'keyframe', ...OPTIONS });

  const builds: number[] = [];
  let index: MovieIndex | undefined;
  for (let i = 0; i < Math.max(rounds, 5); i++) {
    const begun = process.cpuUsage();
    index = await format.compile(source);
    builds.push(cpuSince(begun));
  }
  if (index === undefined) throw new Error('the film has no index');
  const built = index;
  const duration = Number(rest.film) - 60;
  const start = (i: number) => ((i * 7919) % (duration * 10)) / 10;
  const plan = (i: number, length?: number, from = format) =>
    from.plan(built, object, {
      start: start(i),
      end: length === undefined ? undefined : start(i) + length,
    }) as VirtualFile;
  const exact = new ProgressiveMp4({ seek: 'exact', ...OPTIONS });
  const rows = [
    { name: 'start', values: timePlans(rounds, i => plan(i)) },
    { name: 'start and end', values: timePlans(rounds, i => plan(i, 30)) },
    { name: 'start, exact', values: timePlans(rounds, i => plan(i, undefined, exact)) },
  ];
  const file = plan(1);
  const literals = file.spans.reduce((sum, span) => sum + (span.kind === 'literal' ? span.length : 0), 0);
  return {
    title: `seeks into a film of ${rest.film} s with an index of ${(built.movie.size / 1e6).toFixed(1)} MB`,
    tables: [
      {
        title: 'compiled index',
        columns: [
          { title: 'kept KiB', digits: 1 },
          { title: 'stored KiB', digits: 1 },
          { title: 'first build ms', digits: 1 },
          { title: 'build ms', digits: 1 },
        ],
        rows: [
          {
            name: 'film',
            values: [
              format.weight(built) / 1024,
              format.encode(built).length / 1024,
              builds[0],
              new Sample(builds.slice(1)),
            ],
          },
        ],
      },
      {
        title: 'time of a plan',
        columns: [{ title: 'median µs', digits: 1 }, { title: 'p99 µs', digits: 1 }, { title: 'plans/s' }],
        rows,
      },
      {
        title: 'a plan at one second',
        columns: [{ title: 'memory KiB', digits: 1 }, { title: 'literal bytes' }, { title: 'spans' }],
        rows: [{ name: 'start', values: [memoryOfPlans(i => plan(i)) / 1024, literals, file.spans.length] }],
      },
    ],
    notes: [
      'bars: at most 128 KiB kept, 15 ms to build, 64 KiB of memory for a running seek; building is in processor time, in a new process the first time; bytes are read from memory',
    ],
  };
}

/** Median, 99th percentile and rate. */
function timePlans(rounds: number, plan: (i: number) => VirtualFile): Sample[] {
  const [medians, tails, rates]: number[][] = [[], [], []];
  for (let i = 0; i < PLANS; i++) plan(i);
  for (let round = 0; round < rounds; round++) {
    const times: number[] = [];
    const begun = performance.now();
    for (let i = 0; i < PLANS; i++) {
      const before = performance.now();
      plan(i);
      times.push((performance.now() - before) * 1000);
    }
    rates!.push((PLANS * 1000) / (performance.now() - begun));
    times.sort((a, b) => a - b);
    medians!.push(times[PLANS / 2]!);
    tails!.push(times[Math.floor(PLANS * 0.99)]!);
  }
  return [medians!, tails!, rates!].map(values => new Sample(values));
}

/** Bytes of memory that a plan holds on to. */
function memoryOfPlans(plan: (i: number) => VirtualFile): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    // The second one frees what finalizers of the first let go.
    collect();
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const held = Array.from({ length: HELD }, (_, i) => plan(i));
  const after = used();
  return held.length === HELD ? (after - before) / HELD : 0;
}
