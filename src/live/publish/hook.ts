import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../base/log.js';
import type { EndReason } from '../rtmp/rtmp-error.js';
import type { StreamRequest } from './stream-name.js';

/** Milliseconds that a hook may take. */
const TIMEOUT = 5000;
/** Milliseconds before it is told of an end again. */
const RETRIES = [1000, 5000, 15_000];

/** Somebody who wants to publish, or did. */
export interface Applicant extends StreamRequest {
  /** Address of the other end. */
  readonly address: string;
  /** Number of the connection. */
  readonly connection: number;
  readonly tls: boolean;
}

/** How somebody's publishing has ended. */
export interface PublishEnd {
  readonly reason: EndReason;
  readonly bytes: number;
  readonly seconds: number;
}

/** The server of an operator who decides about publishers, asked by POST with JSON. */
export class PublishHook {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Asks whether somebody may publish: any answer 2xx says yes.
   * @returns why not; undefined for yes
   */
  async ask(url: string, applicant: Applicant): Promise<string | undefined> {
    try {
      const status = await post(url, { event: 'publish', ...described(applicant) });
      return status >= 200 && status < 300 ? undefined : `the hook answered ${status}`;
    } catch (error) {
      this.#log.error(
        { error, stream: applicant.stream },
        'the hook for publishers can not be asked; nobody is let in',
      );
      return 'the hook can not be asked';
    }
  }

  /** Tells of the end of somebody whom it has let in; tries again when it fails. */
  async tell(url: string, applicant: Applicant, end: PublishEnd): Promise<void> {
    for (const delay of [...RETRIES, undefined]) {
      try {
        const status = await post(url, { event: 'end', ...described(applicant), ...end });
        if (status < 500) return;
        throw new Error(`it answered ${status}`);
      } catch (error) {
        if (delay === undefined) this.#log.warn({ error, stream: applicant.stream }, 'the hook was not told of an end');
        else await sleep(delay, undefined, { ref: false });
      }
    }
  }
}

function described({ stream, app, name, query, address, connection, tls }: Applicant) {
  return { stream, app, name, query: Object.fromEntries(query), address, connection, tls };
}

/** @returns the status of the answer; redirections are not followed */
async function post(url: string, body: object): Promise<number> {
  const { status, body: answer } = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT),
  });
  await answer?.cancel();
  return status;
}
