import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { type Config, defaultConfig } from '../../../src/config/schema.js';
import { removeFailed } from '../../../src/pipeline/jobs/cancel.js';
import type { PublishedFilm } from '../../../src/pipeline/jobs/job.js';
import { JobQueue } from '../../../src/pipeline/jobs/job-queue.js';
import { DirectoryStorage } from '../../../src/pipeline/storage/directory-storage.js';
import { manifestKey } from '../../../src/pipeline/storage/layout.js';
import type { MakeOptions } from '../../../src/pipeline/transcode/film-maker.js';
import { TranscodeWorker } from '../../../src/pipeline/transcode/transcode-worker.js';
import { UploadQuota } from '../../../src/pipeline/upload/upload-quota.js';
import { RedisServer } from '../../support/redis.js';
import { storeUpload } from '../../support/stored-upload.js';
import { until } from '../../support/until.js';

/** Milliseconds that a worker may be out of touch. */
const LOCK = 3_000;

const idOf = () => randomBytes(16).toString('hex');
const filmOf = (id: string) => ({ id, attempt: 'a', hls: `${id}/a`, qualities: [] }) as unknown as PublishedFilm;

describe('jobs', () => {
  let redis: RedisServer;
  let config: Config;
  let queue: JobQueue;
  const workers: TranscodeWorker[] = [];

  before(async () => {
    redis = await RedisServer.start();
    const defaults = defaultConfig();
    config = { ...defaults, jobs: { ...defaults.jobs, redis: redis.url, lock: LOCK, attempts: 2 } };
    queue = new JobQueue(config, silentLog);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker.close()));
  });
  after(async () => {
    await queue.close();
    await redis.end();
  });

  function start(make: (id: string, options: MakeOptions) => Promise<PublishedFilm>): TranscodeWorker {
    const worker = new TranscodeWorker(config, queue, { make }, silentLog);
    workers.push(worker);
    worker.start();
    return worker;
  }

  const done = (id: string) => until(`film ${id}`, async () => (await queue.status(id))?.state === 'done');

  it('of a poison file reach the dead letters after their attempts, while others go on', async () => {
    const poison = idOf();
    const others = Array.from({ length: 5 }, idOf);
    let tries = 0;
    start(async id => {
      if (id !== poison) return filmOf(id);
      tries += 1;
      throw new Error('ffmpeg failed (killed)');
    });
    await queue.add(poison);
    for (const id of others) await queue.add(id);
    await Promise.all(others.map(done));
    assert.notEqual((await queue.status(poison))!.state, 'failed', 'others waited for the poison');
    const failed = await until('the dead letter', async () => {
      const status = await queue.status(poison);
      return status?.state === 'failed' ? status : undefined;
    });
    assert.equal(failed.reason, 'ffmpeg failed (killed)');
    assert.deepEqual([failed.attempts, tries], [2, 2]);
    // It can be tried again for a time, and then goes with its upload; the others' jobs stay.
    const storage = new DirectoryStorage(mkdtempSync('/dev/shm/moovedge-jobs-'));
    await storeUpload(storage, poison, randomBytes(1000));
    assert.equal(await removeFailed(storage, queue, Date.now() - 60_000), 0);
    assert.equal(await removeFailed(storage, queue, Date.now() + 1), 1);
    assert.deepEqual([await queue.has(poison), await queue.has(others[0]!)], [false, true]);
    assert.equal(await storage.head(manifestKey(poison)), undefined);
    rmSync(storage.place, { recursive: true });
  });

  it('are not taken by a machine whose ffmpeg fails at everything, until it works again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moovedge-path-'));
    const path = process.env.PATH;
    writeFileSync(join(folder, 'ffmpeg'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    try {
      process.env.PATH = `${folder}:${path}`;
      let isMended = false;
      const ill = start(async id => {
        if (isMended) return filmOf(id);
        throw new Error('ffmpeg failed (1)');
      });
      const ids = Array.from({ length: 12 }, idOf);
      for (const id of ids) await queue.add(id);
      await until('the machine to be known as unwell', () => !ill.isWell);
      // It stays so until a test picture can be made; what it has failed at is made by another one.
      const begun = ill.films.failed;
      const well = start(async id => filmOf(id));
      await Promise.all(ids.map(done));
      assert.equal(ill.films.failed, begun, 'it has taken jobs');
      assert.equal(ill.isWell, false);
      await well.close();
      // Somebody installs an ffmpeg that works.
      process.env.PATH = path;
      isMended = true;
      await until('the machine to be known as well', () => ill.isWell);
      const late = idOf();
      await queue.add(late);
      await done(late);
      assert.equal(ill.films.published, 1);
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  });

  it('are let go of within the time of a lock by a worker that is cut off, whose publication is refused', async () => {
    const id = idOf();
    let ended = Number.NaN;
    let late: unknown;
    let isBegun = false;
    const first = start(async (_, { signal, mayPublish }) => {
      if (isBegun) return filmOf(id);
      isBegun = true;
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
      ended = performance.now();
      // What its ffmpeg had made by then comes too late, whenever Redis is back.
      await until('Redis to be back', () => !redis.isStopped);
      late = await mayPublish().then(
        () => 'published',
        error => error,
      );
      throw signal.reason;
    });
    await queue.add(id);
    await until('the job to begin', () => isBegun);
    const cut = performance.now();
    await redis.stop();
    await until('the worker to let go', () => !Number.isNaN(ended));
    assert.ok(ended - cut < LOCK, `it went on for ${Math.round(ended - cut)} ms`);
    redis.goOn();
    const second = start(async () => filmOf(id));
    await done(id);
    await until('the refusal', () => late !== undefined);
    assert.ok(late instanceof Error, String(late));
    assert.deepEqual([first.films.published + second.films.published, first.films.given], [1, 1]);
    assert.equal((await queue.status(id))!.reason, undefined, 'it was taken for a failure');
  });

  it('are preceded by uploads, of which each token may announce so many bytes a day', async () => {
    const quota = new UploadQuota(queue.redis, 'quota-test', 100);
    await quota.take('studio', 60);
    await quota.take('studio', 30);
    await assert.rejects(quota.take('studio', 20), { code: 'overloaded', message: /at most 100 bytes a day/ });
    await quota.take('another', 100);
    // What was refused is not counted.
    await quota.take('studio', 10);
    await assert.rejects(quota.take('studio', 1), { code: 'overloaded' });
  });

  it('survive their Redis, whenever it dies', async () => {
    const id = idOf();
    let made = 0;
    let isBegun = false;
    let goOn = false;
    start(async (_, { signal }) => {
      isBegun = true;
      await until('Redis to be back', () => goOn || signal.aborted);
      signal.throwIfAborted();
      made += 1;
      return filmOf(id);
    });
    await queue.add(id);
    await until('the job to begin', () => isBegun);
    await redis.kill();
    await redis.resume();
    goOn = true;
    await done(id);
    assert.ok(made >= 1);
  });
});
