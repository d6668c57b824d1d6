import { setTimeout as sleep } from 'node:timers/promises';
import { asEdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import { type Job, UnrecoverableError, WaitingError, Worker } from '../jobs/bullmq.js';
import type { PublishedFilm, TranscodeData, TranscodeProgress } from '../jobs/job.js';
import { type JobQueue, QUEUE } from '../jobs/job-queue.js';
import { connectRedis, type Redis } from '../jobs/redis.js';
import type { FilmMaker } from './film-maker.js';
import { RefusedSource } from './refused-source.js';
import { runTool } from './tool.js';

/** Failures in a row, of different films, after which this machine is put to a test. */
const SUSPICIOUS = 3;
/** Share of a lock's life without a renewal after which work ends, before anybody else can have the job. */
const PATIENCE = 0.7;
/** Milliseconds between two tests of a machine that failed one: the first time, and at most. */
const TEST_INTERVAL = 1_000;
const TEST_INTERVAL_MAX = 60_000;
/** Milliseconds that giving a job back may take when the worker stops. */
const GIVE_BACK_TIMEOUT = 3_000;
/** Milliseconds between two words about progress. */
const PROGRESS_INTERVAL = 1_000;

type TranscodeJob = Job<TranscodeData, PublishedFilm>;

/** Takes jobs from the queue and makes their films. */
export class TranscodeWorker {
  readonly #config: Config;
  readonly #queue: JobQueue;
  readonly #maker: Pick<FilmMaker, 'make'>;
  readonly #log: Log;
  readonly #redis: Redis;
  readonly #worker: Worker<TranscodeData, PublishedFilm>;
  readonly #stopping = new AbortController();
  /** Ids of films that failed here since one was made. */
  readonly #failed = new Set<string>();
  #isUnwell = false;

  constructor(config: Config, queue: JobQueue, maker: Pick<FilmMaker, 'make'>, log: Log) {
    this.#config = config;
    this.#queue = queue;
    this.#maker = maker;
    this.#log = log;
    const { lock, prefix, redis } = config.jobs;
    this.#redis = connectRedis(redis, true, log);
    this.#worker = new Worker(QUEUE, (job, token) => this.#take(job, token!), {
      connection: this.#redis,
      prefix,
      concurrency: config.transcode.workers,
      autorun: false,
      lockDuration: lock,
      // Locks are kept here, because a worker that can't keep one has to stop its ffmpeg.
      skipLockRenewal: true,
      // So a job whose worker died is another's after five thirds of a lock at the latest.
      stalledInterval: Math.max(1_000, lock / 3),
      // A job whose worker died was not its own fault; those that kill their worker end by their attempts.
      maxStalledCount: config.jobs.attempts,
    });
    this.#worker.on('error', error => log.debug({ error }, 'the queue fails'));
  }

  /** False while this machine's ffmpeg fails at everything: no jobs are taken. */
  get isWell(): boolean {
    return !this.#isUnwell;
  }

  /** Films that are being made. */
  get busy(): number {
    return this.#running;
  }
  #running = 0;

  /** Films that this worker was done with, by how. */
  readonly films = { published: 0, refused: 0, cancelled: 0, failed: 0, given: 0 };

  /** Takes jobs until `close`. */
  start(): void {
    void this.#worker.run();
  }

  /** Takes no more jobs, lets go of those that run, which others take at once, and ends. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the worker stops'));
    await this.#worker.close();
    this.#redis.disconnect();
  }

  async #take(job: TranscodeJob, token: string): Promise<PublishedFilm> {
    const id = job.id!;
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, this.#stopping.signal]);
    const watch = this.#keepLock(job, token, lost);
    this.#running += 1;
    const begun = performance.now();
    try {
      const film = await this.#maker.make(id, {
        signal,
        progress: this.#reporter(job),
        mayPublish: async () => {
          signal.throwIfAborted();
          await this.#renew(job, token);
          // What was asked for while Redis was away may be answered when all has been given up.
          signal.throwIfAborted();
        },
      });
      const seconds = Math.round((performance.now() - begun) / 1000);
      this.#log.info({ film: id, seconds, qualities: film.qualities, remarks: film.remarks }, 'a film is published');
      this.#failed.clear();
      this.films.published += 1;
      return film;
    } catch (thrown) {
      const isGivenUp = signal.aborted || thrown instanceof Unwanted;
      throw isGivenUp ? await this.#givenUp(job, token, thrown) : this.#failure(job, thrown);
    } finally {
      this.#running -= 1;
      clearInterval(watch);
    }
  }

  /** Leaves a job to others, which is no fault of its own and costs it no attempt. */
  async #givenUp(job: TranscodeJob, token: string, thrown: unknown): Promise<Error> {
    if (thrown instanceof Cancelled) {
      this.films.cancelled += 1;
      // Nobody is to find it among those that failed.
      job.opts.removeOnFail = true;
      return new UnrecoverableError(thrown.message);
    }
    this.films.given += 1;
    // One that is lost is somebody else's, or will be when its lock ends.
    if (this.#stopping.signal.aborted) await within(GIVE_BACK_TIMEOUT, job.moveToWait(token)).catch(() => {});
    return new WaitingError();
  }

  #failure(job: TranscodeJob, thrown: unknown): Error {
    const id = job.id!;
    const { message } = thrown as Error;
    if (thrown instanceof RefusedSource) {
      this.films.refused += 1;
      this.#log.info({ film: id, reason: message }, 'no film can be made of an upload');
      return new UnrecoverableError(message);
    }
    this.films.failed += 1;
    this.#log.warn({ film: id, attempt: job.attemptsStarted, error: asEdgeError(thrown) }, 'making a film failed');
    this.#failed.add(id);
    if (this.#failed.size >= SUSPICIOUS && !this.#isUnwell) void this.#examine();
    return thrown as Error;
  }

  /**
   * Renews the lock of a job. When that has not been possible for as long as a lock lives, somebody else may have the
   * job: work on it ends.
   */
  #keepLock(job: TranscodeJob, token: string, lost: AbortController): NodeJS.Timeout {
    const { lock } = this.#config.jobs;
    let kept = performance.now();
    return setInterval(async () => {
      const asked = performance.now();
      try {
        await within(lock / 4, this.#renew(job, token));
        kept = asked;
      } catch (error) {
        if (performance.now() - kept < lock * PATIENCE && !(error instanceof Unwanted)) return;
        this.#log.warn({ film: job.id, error }, 'a film is somebody else’s now, work on it ends');
        lost.abort(error);
      }
    }, lock / 4);
  }

  /**
   * Keeps a job for as long as a lock lives.
   * @throws Unwanted when it is somebody else's, Cancelled when nobody wants it, others when Redis can't be asked
   */
  async #renew(job: TranscodeJob, token: string): Promise<void> {
    const kept = await job.extendLock(token, this.#config.jobs.lock).catch(error => {
      if (/missing lock|lock mismatch|missing key/i.test(String(error))) return 0;
      throw error;
    });
    if (kept === 0) throw new Unwanted('the job has been given to another worker');
    if (await this.#queue.isCancelled(job.id!)) throw new Cancelled('the job was cancelled');
  }

  #reporter(job: TranscodeJob): (progress: TranscodeProgress) => void {
    let told = Number.NEGATIVE_INFINITY;
    let step = '';
    return progress => {
      const now = performance.now();
      if (progress.step === step && now - told < PROGRESS_INTERVAL) return;
      [told, step] = [now, progress.step];
      job.updateProgress({ ...progress, share: Math.round(progress.share * 1000) / 1000 }).catch(() => {});
    };
  }

  /** Puts ffmpeg to a test, and takes no jobs until it passes. */
  async #examine(): Promise<void> {
    this.#isUnwell = true;
    await this.#worker.pause(true);
    const { signal } = this.#stopping;
    for (let wait = TEST_INTERVAL; !(await this.#canEncode()); wait = Math.min(2 * wait, TEST_INTERVAL_MAX)) {
      if (signal.aborted) return;
      this.#log.error({}, 'ffmpeg fails at a test picture: this machine takes no jobs until it works again');
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
    this.#log.info({}, 'ffmpeg works at a test picture: this machine takes jobs');
    this.#isUnwell = false;
    this.#failed.clear();
    this.#worker.resume();
  }

  async #canEncode(): Promise<boolean> {
    const { memory, timeout } = this.#config.transcode;
    const picture = [
      '-f',
      'lavfi',
      '-i',
      'testsrc=size=320x180:rate=25:duration=1',
      '-c:v',
      'libx264',
      '-f',
      'null',
      '-',
    ];
    try {
      const { code } = await runTool({
        program: 'ffmpeg',
        args: ['-nostdin', '-hide_banner', '-loglevel', 'error', ...picture],
        memory,
        fileSize: 0,
        timeout,
        signal: this.#stopping.signal,
        line: () => false,
      });
      return code === 0;
    } catch {
      return false;
    }
  }
}

/** Nobody wants the work of this worker on a job any more. */
class Unwanted extends Error {}
/** Nobody wants the film of a job any more. */
class Cancelled extends Unwanted {}

function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  const late = sleep(milliseconds, undefined, { ref: false }).then(() => {
    throw new Error('Redis did not answer in time');
  });
  return Promise.race([promise, late]);
}
