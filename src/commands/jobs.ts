import { EdgeError } from '../base/errors.js';
import { type ConfigSources, loadSettings } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { createLog } from '../observe/log.js';
import { cancelJob } from '../pipeline/jobs/cancel.js';
import type { JobStatus } from '../pipeline/jobs/job.js';
import { JobQueue } from '../pipeline/jobs/job-queue.js';
import { rebuildJobs } from '../pipeline/jobs/rebuild.js';
import { ID } from '../pipeline/storage/layout.js';
import { openStorage } from '../pipeline/storage/open-storage.js';

/** Jobs of each state that are listed. */
const LISTED = 1000;

type Write = (text: string) => void;

/** Prints what is queued, running, failed and done. @throws EdgeError */
export function listJobs(sources: ConfigSources, asJson: boolean, write: Write): Promise<void> {
  return withQueue(sources, async queue => {
    const jobs = await queue.list(['running', 'waiting', 'failed', 'done'], LISTED);
    if (asJson) write(`${JSON.stringify(jobs)}\n`);
    else if (jobs.length === 0) write('no jobs\n');
    else for (const job of jobs) write(`${lineOf(job)}\n`);
  });
}

/** Has failed jobs tried again. @throws EdgeError */
export function retryJobs(sources: ConfigSources, ids: readonly string[], write: Write): Promise<void> {
  return withQueue(sources, async queue => {
    for (const id of checked(ids)) {
      await queue.retry(id);
      write(`${id} is tried again\n`);
    }
  });
}

/** Removes jobs and their uploads. @throws EdgeError */
export function cancelJobs(sources: ConfigSources, ids: readonly string[], write: Write): Promise<void> {
  return withQueue(sources, async (queue, config) => {
    const storage = await openStorage(config);
    for (const id of checked(ids)) {
      await cancelJob(storage, queue, id);
      write(`${id} is cancelled\n`);
    }
    storage.close();
  });
}

/** Makes the jobs of uploads that have neither film nor job. @throws EdgeError */
export function rebuildQueue(sources: ConfigSources, write: Write): Promise<void> {
  return withQueue(sources, async (queue, config) => {
    const storage = await openStorage(config);
    const made = await rebuildJobs(storage, queue);
    storage.close();
    write(`${made} ${made === 1 ? 'job was' : 'jobs were'} made\n`);
  });
}

async function withQueue(
  sources: ConfigSources,
  work: (queue: JobQueue, config: Config) => Promise<void>,
): Promise<void> {
  const config = loadSettings(sources);
  const queue = new JobQueue(config, createLog({ level: 'error', format: 'text', process: 'jobs' }));
  try {
    await queue.reached();
    await work(queue, config);
  } finally {
    await queue.close();
  }
}

function checked(ids: readonly string[]): readonly string[] {
  const wrong = ids.find(id => !ID.test(id));
  if (wrong !== undefined) throw new EdgeError('usage', `expected the id of a job, found ${JSON.stringify(wrong)}`);
  return ids;
}

function lineOf({ id, state, progress, attempts, reason, film }: JobStatus): string {
  const share = progress === undefined ? '' : `${Math.round(progress.share * 100)}% ${progress.step}`;
  const told = state === 'running' ? share : state === 'done' ? (film?.hls ?? '') : (reason ?? '');
  return `${id}  ${state.padEnd(7)}  ${`${attempts}×`.padStart(3)}  ${told}`.trimEnd();
}
