import { afterEach } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchText } from '../../support/fetch-text.js';

/** What a load has met. */
export interface LoadResult {
  readonly requests: number;
  /** Codes of the errors that clients have seen. */
  readonly failures: readonly string[];
  /** Longest time from the wish to connect to the end of the answer, in milliseconds. */
  readonly longest: number;
  /** Generations that have answered. */
  readonly generations: readonly string[];
}

/** Loads of the running test. What a failed test leaves behind would keep its file from ending. */
const running = new Set<Load>();
afterEach(async () => {
  for (const load of running) await load.stop();
});

/** Clients that each open a connection, ask, and close, one time after the other, until `stop` is called. */
export class Load {
  #isStopped = false;
  readonly #clients: Promise<unknown>;
  #requests = 0;
  readonly #failures: string[] = [];
  #longest = 0;
  readonly #generations = new Set<string>();

  constructor(port: number, clients: number) {
    running.add(this);
    this.#clients = Promise.all(Array.from({ length: clients }, () => this.#run(port)));
  }

  async stop(): Promise<LoadResult> {
    running.delete(this);
    this.#isStopped = true;
    await this.#clients;
    return {
      requests: this.#requests,
      failures: this.#failures,
      longest: this.#longest,
      generations: [...this.#generations],
    };
  }

  async #run(port: number): Promise<void> {
    while (!this.#isStopped) {
      const begun = performance.now();
      try {
        const { status, body } = await fetchText(port, '/');
        if (status !== 200) this.#failures.push(`status ${status}`);
        this.#generations.add(body.split('/')[0]!);
      } catch (error) {
        this.#failures.push(String((error as NodeJS.ErrnoException).code));
      }
      this.#requests++;
      this.#longest = Math.max(this.#longest, performance.now() - begun);
      await sleep(1);
    }
  }
}
