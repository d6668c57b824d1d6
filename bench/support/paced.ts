import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sample } from './report.js';
import type { Request } from './wrk.js';

/** What a paced load has found. */
export interface Paced {
  /** Milliseconds from when each request was due to the last byte of its answer. */
  readonly times: Sample;
  readonly bytes: number;
  /** Answers that are no 206, and connections that failed. */
  readonly failed: number;
}

/** Requests that come at their time, however long the answers to others take, as those of many players do. */
export async function paced(
  url: string,
  requests: readonly Request[],
  { rate, seconds }: { rate: number; seconds: number },
): Promise<Paced> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let bytes = 0;
  let failed = 0;
  const ask = ({ path, range }: Request, due: number) =>
    new Promise<void>(resolve => {
      const request = get(`${url}${path}`, { agent, headers: { range } }, response => {
        response.on('data', chunk => {
          bytes += chunk.length;
        });
        response.on('end', () => {
          if (response.statusCode === 206) times.push(performance.now() - due);
          else failed++;
          resolve();
        });
      });
      request.on('error', () => {
        failed++;
        resolve();
      });
    });
  const begun = performance.now();
  const answers: Promise<void>[] = [];
  for (let n = 0; n < rate * seconds; n++) {
    const due = begun + (n / rate) * 1000;
    while (performance.now() < due) await sleep(1);
    answers.push(ask(requests[n % requests.length]!, due));
  }
  await Promise.all(answers);
  agent.destroy();
  return { times: new Sample(times), bytes, failed };
}
