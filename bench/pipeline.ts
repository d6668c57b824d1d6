import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../src/base/log.js';
import { defaultConfig } from '../src/config/schema.js';
import { JobQueue } from '../src/pipeline/jobs/job-queue.js';
import { rebuildJobs } from '../src/pipeline/jobs/rebuild.js';
import { DirectoryStorage } from '../src/pipeline/storage/directory-storage.js';
import { manifestKey } from '../src/pipeline/storage/layout.js';
import { encode, encodeArguments } from '../src/pipeline/transcode/encode.js';
import { ladder } from '../src/pipeline/transcode/ladder.js';
import { sourceFacts } from '../src/pipeline/transcode/source-facts.js';
import { RedisServer } from '../test/support/redis.js';
import { diskFolder, runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, type ResultTable, Sample } from './support/report.js';
import { uploadRates } from './support/upload-rates.js';

const MIB = 1024 * 1024;

/**
 * What uploads and transcoding cost beside what has to be done anyway: an upload beside a PUT that is written to one
 * file by a bare server, an encoding beside the same ffmpeg by hand, and a lost
 * queue that is filled again. `--parts` says which of these.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, {
    ...{ size: '256', jobs: '10000', length: '20' },
    parts: 'folder,disk,encodings,queue',
  });
  const parts = options.rest.parts!.split(',');
  const size = Number(options.rest.size) * MIB;
  const tables: ResultTable[] = [];
  if (parts.includes('folder')) tables.push(await intoFolder('memory', runFolder(4 * size), size, options.rounds));
  if (parts.includes('disk')) tables.push(await intoFolder('a disk', diskFolder(), size, options.rounds));
  if (parts.includes('encodings')) {
    tables.push(await encodings(runFolder(256 * MIB), Number(options.rest.length), options.rounds));
  }
  if (parts.includes('queue')) tables.push(await lostQueue(runFolder(256 * MIB), Number(options.rest.jobs)));
  return {
    title: 'uploads, encodings and a lost queue',
    tables,
    notes: [],
  };
}

async function intoFolder(where: string, folder: string, size: number, rounds: number): Promise<ResultTable> {
  const { plain, ours, written } = await uploadRates(folder, size, rounds);
  return {
    title: `uploads of ${size / MIB} MiB into a folder in ${where}, taking turns`,
    columns: [{ title: 'MiB/s' }, { title: 'of a plain PUT', digits: 2 }, { title: 'bytes written', digits: 4 }],
    rows: [
      { name: 'plain PUT', values: [new Sample(plain), 1, 1] },
      { name: 'tus upload', values: [new Sample(ours), ratio(ours, plain), written] },
    ],
  };
}

async function encodings(folder: string, length: number, rounds: number): Promise<ResultTable> {
  const { byHand, ours, qualities } = await encodingTimes(folder, length, rounds);
  return {
    title: `encodings of ${length} s in ${qualities.join(', ')} lines, taking turns`,
    columns: [
      { title: 'seconds', digits: 2 },
      { title: 'of by hand', digits: 3 },
    ],
    rows: [
      { name: 'ffmpeg by hand', values: [new Sample(byHand), 1] },
      { name: 'by the worker', values: [new Sample(ours), ratio(ours, byHand)] },
    ],
  };
}

async function lostQueue(folder: string, count: number): Promise<ResultTable> {
  const { jobs, seconds } = await rebuildTime(folder, count);
  return {
    title: 'a lost queue',
    columns: [{ title: 'jobs' }, { title: 'seconds', digits: 1 }],
    rows: [{ name: 'jobs rebuild', values: [jobs, seconds] }],
  };
}

/** How often `values` are those of another, round by round. */
function ratio(values: readonly number[], others: readonly number[]): Sample {
  return new Sample(values.map((value, i) => value / others[i]!));
}

async function encodingTimes(folder: string, seconds: number, rounds: number) {
  const source = join(folder, 'source.mp4');
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=25:duration=${seconds}`];
  await ffmpeg([...picture, '-f', 'lavfi', '-i', `sine=duration=${seconds}`, '-c:v', 'libx264', source]);
  const settings = defaultConfig().transcode;
  const { signal } = new AbortController();
  const facts = await sourceFacts(source, { ...settings, signal });
  const renditions = ladder(facts.width, facts.height, settings.qualities);
  const args = encodeArguments(source, folder, facts, renditions, settings);
  const found = { byHand: [] as number[], ours: [] as number[], qualities: renditions.map(({ quality }) => quality) };
  for (let round = 0; round < rounds; round++) {
    found.byHand.push(await secondsOf(() => ffmpeg(args)));
    found.ours.push(await secondsOf(() => encode(args, facts, renditions, settings, signal, () => {})));
  }
  return found;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** By hand it has the same priority, so that what else runs takes as much from both. */
async function ffmpeg(args: readonly string[]): Promise<void> {
  const child = spawn('nice', ['-n', '10', 'ffmpeg', '-v', 'error', '-y', ...args], { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
}

async function rebuildTime(folder: string, jobs: number): Promise<{ jobs: number; seconds: number }> {
  const root = join(folder, 'lost');
  for (let i = 0; i < jobs; i++) {
    const key = join(root, manifestKey(i.toString(16).padStart(32, '0')));
    mkdirSync(join(key, '..'), { recursive: true });
    writeFileSync(key, '{}');
  }
  const redis = await RedisServer.start();
  const defaults = defaultConfig();
  const queue = new JobQueue({ ...defaults, jobs: { ...defaults.jobs, redis: redis.url } }, silentLog);
  let made = 0;
  const seconds = await secondsOf(async () => {
    made = await rebuildJobs(new DirectoryStorage(root), queue);
  });
  await queue.close();
  await redis.end();
  return { jobs: made, seconds };
}
