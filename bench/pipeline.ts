import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { silentLog } from '../src/base/log.js';
import { defaultConfig } from '../src/config/schema.js';
import { JobQueue } from '../src/pipeline/jobs/job-queue.js';
import { rebuildJobs } from '../src/pipeline/jobs/rebuild.js';
import { DirectoryStorage } from '../src/pipeline/storage/directory-storage.js';
import { manifestKey } from '../src/pipeline/storage/layout.js';
import { encode, encodeArguments } from '../src/pipeline/transcode/encode.js';
import { ladder } from '../src/pipeline/transcode/ladder.js';
import { sourceFacts } from '../src/pipeline/transcode/source-facts.js';
import { PieceStore } from '../src/pipeline/upload/piece-store.js';
import { ProcessLocker } from '../src/pipeline/upload/process-locker.js';
import { UploadServer } from '../src/pipeline/upload/upload-server.js';
import { freePorts } from '../test/support/ports.js';
import { RedisServer } from '../test/support/redis.js';
import { runFolder } from './support/folder.js';
import { benchOptions } from './support/options.js';
import { type Report, Sample } from './support/report.js';

const MIB = 1024 * 1024;

/**
 * What uploads and transcoding cost beside what has to be done anyway: an upload beside a PUT that is written to one
 * file by a bare server, an encoding beside the same ffmpeg by hand, and a lost queue that is filled again.
 */
export async function run(args: readonly string[]): Promise<Report> {
  const options = benchOptions(args, { size: '256', jobs: '10000', seconds: '20' });
  const folder = runFolder(1024 * MIB);
  const uploads = await uploadRates(folder, Number(options.rest.size) * MIB, options.rounds);
  const encodings = await encodingTimes(folder, Number(options.rest.seconds), options.rounds);
  const rebuilt = await rebuildTime(folder, Number(options.rest.jobs));
  const ratios = new Sample(encodings.ours.map((time, i) => time / encodings.byHand[i]!));
  return {
    title: 'uploads, encodings and a lost queue',
    tables: [
      {
        title: `uploads of ${options.rest.size} MiB, taking turns`,
        columns: [{ title: 'MiB/s' }, { title: 'of a plain PUT', digits: 2 }, { title: 'bytes written', digits: 4 }],
        rows: [
          { name: 'plain PUT', values: [new Sample(uploads.plain), 1, 1] },
          {
            name: 'tus upload',
            values: [
              new Sample(uploads.tus),
              new Sample(uploads.tus.map((rate, i) => rate / uploads.plain[i]!)),
              uploads.written,
            ],
          },
        ],
      },
      {
        title: `encodings of ${options.rest.seconds} s in ${encodings.qualities.join(', ')} lines, taking turns`,
        columns: [
          { title: 'seconds', digits: 2 },
          { title: 'of by hand', digits: 3 },
        ],
        rows: [
          { name: 'ffmpeg by hand', values: [new Sample(encodings.byHand), 1] },
          { name: 'by the worker', values: [new Sample(encodings.ours), ratios] },
        ],
      },
      {
        title: 'a lost queue',
        columns: [{ title: 'jobs' }, { title: 'seconds', digits: 1 }],
        rows: [{ name: 'jobs rebuild', values: [rebuilt.jobs, rebuilt.seconds] }],
      },
    ],
    notes: [],
  };
}

async function uploadRates(folder: string, size: number, rounds: number) {
  const root = join(folder, 'storage');
  const storage = new DirectoryStorage(root);
  const store = new PieceStore({
    ...{ storage, expire: 3_600_000, log: silentLog },
    finished: async () => {},
    removed: async () => {},
  });
  const [plainPort = 0, port = 0] = await freePorts(2);
  const queue = { status: async () => undefined } as unknown as JobQueue;
  const settings = { ...defaultConfig().upload, host: '127.0.0.1', port };
  const tus = new UploadServer({ settings, prefix: '', store, locker: new ProcessLocker(), queue, log: silentLog });
  await tus.listen();
  const target = join(folder, 'plain');
  const plain = createServer(async (incoming, response) => {
    await pipeline(incoming, createWriteStream(target));
    const file = await open(target, 'r+');
    await file.sync();
    await file.close();
    response.end();
  });
  plain.listen(plainPort, '127.0.0.1');
  const bytes = Buffer.alloc(size, randomBytes(MIB));
  const found = { plain: [] as number[], tus: [] as number[], written: 0 };
  const head = { 'Tus-Resumable': '1.0.0' };
  for (let round = 0; round <= rounds; round++) {
    const plainRate = await rateOf(size, () => send(plainPort, 'PUT', '/', {}, bytes));
    await rm(target);
    const tusRate = await rateOf(size, async () => {
      const made = await send(port, 'POST', '/files/', { ...head, 'Upload-Length': String(size) });
      const place = new URL(made.location!, `http://127.0.0.1:${port}/`).pathname;
      const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' };
      await send(port, 'PATCH', place, { ...head, ...type }, bytes);
    });
    found.written = sizeOf(root) / size;
    await rm(root, { recursive: true });
    // The first round warms both.
    if (round === 0) continue;
    found.plain.push(plainRate);
    found.tus.push(tusRate);
  }
  await tus.close();
  plain.close();
  return found;
}

async function rateOf(size: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return size / MIB / ((performance.now() - begun) / 1000);
}

async function send(port: number, method: string, path: string, headers: object, body?: Buffer) {
  const sent = request({
    ...{ host: '127.0.0.1', port, method, path, agent: false },
    headers: { 'Content-Length': body?.length ?? 0, ...headers },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode! >= 300) throw new Error(`${method} ${path}: ${response.statusCode}`);
  return { location: response.headers.location };
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
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
