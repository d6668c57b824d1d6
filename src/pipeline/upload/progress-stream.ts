import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../base/log.js';
import type { JobStatus } from '../jobs/job.js';
import type { JobQueue } from '../jobs/job-queue.js';

/** Milliseconds between two looks at a job. */
const INTERVAL = 500;
/** Most streams of one server. */
const STREAMS_MAX = 1_000;
/** Looks without news after which a line is sent that means nothing, so that nobody takes the stream for dead. */
const QUIET_LOOKS = 30;

/** Tells uploaders how far their films have come, as events (HTML, server-sent events). */
export class ProgressStreams {
  readonly #queue: JobQueue;
  readonly #log: Log;
  #count = 0;

  constructor(queue: JobQueue, log: Log) {
    this.#queue = queue;
    this.#log = log;
  }

  /** Answers with an event for each change, until the film is there or has failed, or the client leaves. */
  async answer(id: string, response: ServerResponse): Promise<void> {
    if (this.#count >= STREAMS_MAX) {
      response.writeHead(503, { 'Retry-After': '10' }).end();
      return;
    }
    this.#count += 1;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    try {
      let last = '';
      for (let looks = 1; !response.destroyed; looks++) {
        const status = await this.#look(id);
        const line = JSON.stringify(shown(status));
        if (line !== last) response.write(`data: ${line}\n\n`);
        else if (looks % QUIET_LOOKS === 0) response.write(':\n\n');
        last = line;
        if (status?.state === 'done' || status?.state === 'failed') break;
        await sleep(INTERVAL);
      }
      response.end();
    } finally {
      this.#count -= 1;
    }
  }

  async #look(id: string): Promise<JobStatus | undefined> {
    try {
      return await this.#queue.status(id);
    } catch (error) {
      this.#log.debug({ error }, 'the state of a job is not to be had');
      return undefined;
    }
  }
}

/** What an uploader sees of a job; one that is not known yet waits. */
export function shown(status: JobStatus | undefined): object {
  const { state = 'waiting', progress, reason, film } = status ?? {};
  return { state, progress, reason: state === 'failed' ? reason : undefined, film };
}
