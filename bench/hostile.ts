import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ByteSource } from '../src/base/byte-source.js';
import { EdgeError } from '../src/base/errors.js';
import { Flv } from '../src/media/flv/flv.js';
import { FragmentedMp4 } from '../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../src/media/mp4/progressive.js';
import type { Format } from '../src/media/seek/format.js';
import { Planner } from '../src/media/seek/planner.js';
import { DEFAULTS } from '../test/support/defaults.js';
import { HOSTILE } from '../test/support/hostile.js';
import { LONG_FILMS } from '../test/support/long-film.js';
import { CopyingSource } from './support/copying-source.js';
import { cpuSince } from './support/cpu.js';
import { benchOptions } from './support/options.js';
import { type Report, type Row, Sample } from './support/report.js';

const FORMATS = [
  new ProgressiveMp4({ seek: 'keyframe', maxMoov: 256 * 1024 * 1024 }),
  new FragmentedMp4(),
  new Flv({ start: 'auto', timestamps: 'rebased' }),
] as Format<unknown>[];

/**
 * Milliseconds that the thread of the event loop has been on a core: its garbage collector counts, the collector's and
 * the compiler's helper threads, during which it serves others, do not.
 */
function loopTime(): number {
  return Number.parseInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1'), 10) / 1e6;
}

/** What one seek costs. */
interface Cost {
  /** Milliseconds of CPU in all. */
  readonly cpu: number;
  /** Milliseconds of CPU of the event loop's thread between two of its turns, at most. */
  readonly slice: number;
  /** MiB. */
  readonly memory: number;
  readonly answer: string;
}

async function costOf(source: ByteSource): Promise<Cost> {
  const planner = new Planner({ ...DEFAULTS.planner, formats: FORMATS, indexMemory: 32 * 1024 * 1024 });
  const [etag, contentType] = ['"hostile"', 'video/mp4'];
  const object = { identity: 'hostile', etag, contentType, lastModified: undefined, source };
  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  let [slice, most, turning] = [0, before, true];
  let turn = loopTime();
  const look = () => {
    slice = Math.max(slice, loopTime() - turn);
    most = Math.max(most, held());
    turn = loopTime();
    if (turning) setImmediate(look);
  };
  const begun = process.cpuUsage();
  setImmediate(look);
  const answer = await Promise.resolve()
    .then(() => planner.seek(object, { start: 1, end: undefined }))
    .then(
      file => (file === undefined ? 'plain' : `${file.spans.length} spans`),
      (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
    );
  const cpu = cpuSince(begun);
  turning = false;
  look();
  return { cpu, slice, memory: (most - before) / 2 ** 20, answer };
}

/** `--size MIB`. The first seek into files that are made to cost as much as they can, and into long films. */
export async function run(args: string[]): Promise<Report> {
  const { rounds, rest } = benchOptions(args, { size: '64' });
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const measure = async (name: string, source: ByteSource): Promise<Row> => {
    const costs: Cost[] = [];
    for (let round = 0; round < Math.max(3, rounds); round++) {
      gc();
      costs.push(await costOf(source));
    }
    const sample = (value: (cost: Cost) => number) => new Sample(costs.map(value));
    const values = [
      source.size / 2 ** 20,
      sample(({ cpu }) => cpu),
      sample(({ slice }) => slice),
      sample(({ memory }) => memory),
    ];
    return { name: `${name} (${costs[0]!.answer})`, values };
  };
  const [hostile, long]: [Row[], Row[]] = [[], []];
  for (const { name, make } of HOSTILE)
    hostile.push(await measure(name, new CopyingSource(make(Number(rest.size) * 1024 * 1024))));
  for (const { name, make } of LONG_FILMS) long.push(await measure(name, make()));
  const columns = [
    { title: 'file MiB', digits: 1 },
    { title: 'CPU ms' },
    { title: 'longest slice ms', digits: 1 },
    { title: 'memory MiB', digits: 1 },
  ];
  return {
    title: `the first seek into hostile files of up to ${rest.size} MiB, and into long films without an index`,
    notes: ['long films are made as they are read, which is counted too'],
    tables: [
      { title: 'one seek', columns, rows: hostile },
      { title: 'long films', columns, rows: long },
    ],
  };
}
