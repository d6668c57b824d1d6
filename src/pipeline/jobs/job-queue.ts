import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Config } from '../../config/schema.js';
import { type Job, Queue } from './bullmq.js';
import type { JobState, JobStatus, PublishedFilm, TranscodeData, TranscodeProgress } from './job.js';
import { connectRedis, type Redis } from './redis.js';

/** Name of the queue, in Redis and on dashboards. */
export const QUEUE = 'moovedge-transcode';

/** Seconds that a job which has ended well is remembered; those that failed stay until somebody looks. */
const DONE_AGE = 7 * 24 * 3600;
/** Most jobs that are looked at for whether they failed long ago. */
const FAILED_AT_ONCE = 1_000;
/** Milliseconds before the second attempt; later ones wait twice as long each. */
const BACKOFF = 5_000;

/** States of BullMQ, by ours. */
const STATES = {
  waiting: ['wait', 'delayed', 'prioritized'],
  running: ['active'],
  done: ['completed'],
  failed: ['failed'],
} as const satisfies Record<JobState, readonly string[]>;

/** Films that are to be made, in Redis. What it holds can be made again from the storage. */
export class JobQueue {
  readonly redis: Redis;
  readonly #queue: Queue<TranscodeData, PublishedFilm>;
  readonly #attempts: number;

  constructor({ jobs }: Config, log: Log) {
    this.redis = connectRedis(jobs.redis, false, log);
    this.#attempts = jobs.attempts;
    this.#queue = new Queue(QUEUE, { connection: this.redis, prefix: jobs.prefix, skipVersionCheck: true });
    this.#queue.on('error', () => {});
  }

  /** Waits until Redis answers. @throws EdgeError `origin_unavailable` when it does not within `milliseconds` */
  async reached(milliseconds = 3_000): Promise<void> {
    if (this.redis.status === 'ready') return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        this.redis.off('ready', ready);
        reject(new EdgeError('origin_unavailable', 'jobs.redis: expected an answer, found none; is Redis running?'));
      }, milliseconds);
      const ready = () => {
        clearTimeout(late);
        resolve();
      };
      this.redis.once('ready', ready);
    });
  }

  /** Makes a job for an upload unless there is one, whatever its state. */
  async add(id: string): Promise<void> {
    await this.#queue.add(
      'transcode',
      {},
      {
        jobId: id,
        attempts: this.#attempts,
        backoff: { type: 'exponential', delay: BACKOFF },
        removeOnComplete: { age: DONE_AGE },
      },
    );
  }

  /** Whether there is a job for an upload. */
  async has(id: string): Promise<boolean> {
    return (await this.#queue.getJob(id)) !== undefined;
  }

  /** A job; undefined when there is none. */
  async status(id: string): Promise<JobStatus | undefined> {
    // The state first: a job that is read after it is done has its film.
    const state = stateOf(await this.#queue.getJobState(id));
    const job = await this.#queue.getJob(id);
    return job === undefined ? undefined : describe(job, state);
  }

  /** Whether nobody wants the film of a job any more. */
  async isCancelled(id: string): Promise<boolean> {
    const job = await this.#queue.getJob(id);
    return job === undefined || job.data.cancelled === true;
  }

  /** Jobs of some states, at most `max` of each, the latest first. */
  async list(states: readonly JobState[], max: number): Promise<JobStatus[]> {
    const lists = states.map(async state =>
      (await this.#queue.getJobs([...STATES[state]], 0, max - 1)).map(job => describe(job, state)),
    );
    return (await Promise.all(lists)).flat();
  }

  /** Ids of jobs that had failed by a time, in milliseconds since 1970; the longest ago first, and not all at once. */
  async failedBefore(time: number): Promise<string[]> {
    const jobs = await this.#queue.getJobs([...STATES.failed], 0, FAILED_AT_ONCE - 1, true);
    return jobs.filter(({ finishedOn = time }) => finishedOn < time).map(job => job.id!);
  }

  /** How many jobs there are of each state. */
  async counts(): Promise<Record<JobState, number>> {
    const counts = await this.#queue.getJobCounts(...Object.values(STATES).flat());
    const sum = (state: JobState) => STATES[state].reduce((total, name) => total + (counts[name] ?? 0), 0);
    return { waiting: sum('waiting'), running: sum('running'), done: sum('done'), failed: sum('failed') };
  }

  /** Has a failed job tried again. @throws EdgeError `not_found`, or `bad_request` when it has not failed */
  async retry(id: string): Promise<void> {
    const job = await this.#get(id);
    if ((await job.getState()) !== 'failed') throw new EdgeError('bad_request', `expected a failed job, ${id} is none`);
    await job.retry('failed', { resetAttemptsMade: true });
  }

  /** Removes a job; one that is running is let go by its worker within seconds. @throws EdgeError `not_found` */
  async cancel(id: string): Promise<void> {
    const job = await this.#get(id);
    await job.updateData({ cancelled: true });
    if ((await job.getState()) !== 'active') await job.remove();
  }

  async close(): Promise<void> {
    await this.#queue.close().catch(() => {});
    this.redis.disconnect();
  }

  async #get(id: string): Promise<Job<TranscodeData, PublishedFilm>> {
    const job = await this.#queue.getJob(id);
    if (job === undefined) throw new EdgeError('not_found', `expected a job, ${id} is none`);
    return job;
  }
}

function stateOf(name: string): JobState {
  const found = Object.entries(STATES).find(([, names]) => (names as readonly string[]).includes(name));
  return (found?.[0] as JobState | undefined) ?? 'waiting';
}

function describe(job: Job<TranscodeData, PublishedFilm>, state: JobState): JobStatus {
  const progress = typeof job.progress === 'object' ? (job.progress as TranscodeProgress) : undefined;
  return {
    id: job.id!,
    state,
    progress,
    attempts: job.attemptsStarted,
    reason: state === 'done' ? undefined : job.failedReason,
    queued: job.timestamp,
    film: job.returnvalue ?? undefined,
  };
}
