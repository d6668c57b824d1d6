import { get } from 'node:http';
import { firstWrong } from '../../support/content.js';
import type { FaultOrigin } from '../../support/fault-origin.js';
import type { Random } from '../random.js';
import type { History } from './history.js';
import type { EdgeMachine } from './machines.js';

/** Milliseconds that an answer may take. */
const PATIENCE = 30_000;
export const FILM_SIZE = 700_000;
const RANGE = 200_000;

/** What came of a request. */
export type Outcome = Omit<History['asked'][number], 'at'>;

/** Asks for a film, or for a part of it, and checks every byte. */
export function ask(edge: EdgeMachine, path: string, agent: string, start = 0, end = FILM_SIZE): Promise<Outcome> {
  const begun = performance.now();
  return new Promise(resolve => {
    const settle = (outcome: Outcome['outcome'], why = '') =>
      resolve({ edge: edge.id, path, outcome, why, took: performance.now() - begun });
    const headers = {
      'User-Agent': agent,
      ...(end - start < FILM_SIZE && { Range: `bytes=${start}-${end - 1}` }),
    };
    const request = get(`${edge.url}${path}`, { agent: false, headers, timeout: PATIENCE }, response => {
      const { statusCode = 0 } = response;
      let at = start;
      response.on('data', (bytes: Buffer) => {
        const wrong = statusCode < 300 ? firstWrong(bytes, path, 'v1', at) : -1;
        if (wrong >= 0) settle('wrong', `byte ${at + wrong}`);
        at += bytes.length;
      });
      response.on('end', () => {
        if (statusCode >= 300) settle('failed', `status ${statusCode}`);
        else settle(at === end ? 'whole' : 'failed', `${at - start} of ${end - start} bytes`);
      });
      response.on('error', error => settle('failed', error.message));
    });
    request.on('timeout', () => request.destroy(new Error('hangs')));
    request.on('error', error => settle('failed', error.message));
  });
}

/** Players who ask all edges for films of a library, few of which are asked for much. */
export class Viewers {
  readonly #edges: readonly EdgeMachine[];
  readonly #history: History;
  readonly #random: Random;
  readonly #films: readonly string[];
  readonly #gap: number;
  #isPaused = false;
  #under = 0;
  #timer: NodeJS.Timeout | undefined;
  #viewer = 0;

  /** @param rate requests a second */
  constructor(edges: readonly EdgeMachine[], storage: FaultOrigin, history: History, random: Random, rate: number) {
    this.#edges = edges;
    this.#history = history;
    this.#random = random;
    this.#gap = 1000 / rate;
    this.#films = Array.from({ length: 60 }, (_, i) => `/film-${i}.mp4`);
    for (const path of this.#films) storage.put(path, { size: FILM_SIZE });
  }

  start(): void {
    this.#timer = setInterval(() => {
      // A machine that is too busy is not asked for more.
      if (!this.#isPaused && this.#under < 50) void this.#view();
    }, this.#gap);
  }

  /** Nobody asks any more; resolves when all answers have come. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    while (this.#under > 0) await new Promise(resolve => setTimeout(resolve, 20));
  }

  resume(): void {
    this.#isPaused = false;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.pause();
  }

  async #view(): Promise<void> {
    this.#under++;
    const random = this.#random;
    // Squared: the first films are asked for most.
    const path = this.#films[Math.floor(random.next() ** 2 * this.#films.length)]!;
    const edge = random.pick(this.#edges);
    const start = random.next() < 0.5 ? 0 : random.integer(0, FILM_SIZE - RANGE);
    const end = random.next() < 0.2 && start === 0 ? FILM_SIZE : start + RANGE;
    const at = performance.now();
    const outcome = await ask(edge, path, `player ${this.#viewer++ % 200}`, start, end);
    this.#history.asked.push({ at, ...outcome });
    this.#under--;
  }
}
