import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ask, Downloader, Outcome } from './download.js';
import { seekQuery, type Title } from './library.js';
import type { Random } from './random.js';
import { count } from './tally.js';

const KIB = 1024;

/** What a player may be up to. */
interface Behaviour {
  readonly name: string;
  readonly weight: number;
  ask(player: Player): Ask;
}

const BEHAVIOURS: readonly Behaviour[] = [
  {
    name: 'range',
    weight: 30,
    ask: ({ random, film }) => ({ title: film(), query: '', range: someRange(random, 512 * KIB) }),
  },
  {
    name: 'watch',
    weight: 12,
    ask: ({ random, film }) => ({
      title: film(),
      query: '',
      range: { start: random.integer(0, 4 * 2 ** 20), end: Number.POSITIVE_INFINITY },
      leaveAfter: random.integer(256 * KIB, 3 * 2 ** 20),
    }),
  },
  {
    name: 'seek',
    weight: 20,
    ask: ({ random, clip }) => ({
      title: clip(),
      query: seekQuery(random),
      ...(random.chance(0.5) && { range: someRange(random, 256 * KIB, 64 * KIB) }),
    }),
  },
  { name: 'whole', weight: 6, ask: ({ clip }) => ({ title: clip(), query: '' }) },
  {
    name: 'pause',
    weight: 6,
    ask: ({ random, film }) => {
      const at = random.integer(1, 2 ** 20);
      let paused = false;
      return {
        title: film(),
        query: '',
        range: { start: 0, end: Number.POSITIVE_INFINITY },
        leaveAfter: 2 * at + 6 * 2 ** 20,
        rest: received => {
          if (paused || received < at) return 0;
          paused = true;
          return random.integer(1000, 20_000);
        },
      };
    },
  },
  {
    name: 'crawl',
    weight: 5,
    ask: ({ random, film }) => ({
      title: film(),
      query: '',
      range: someRange(random, 2 ** 20, 512 * KIB),
      rest: () => random.integer(20, 400),
    }),
  },
  {
    name: 'abort',
    weight: 8,
    ask: ({ random, film, clip }) => ({
      title: random.chance(0.5) ? film() : clip(),
      query: '',
      leaveAfter: random.integer(1, 512 * KIB),
    }),
  },
  {
    name: 'several',
    weight: 4,
    ask: ({ random, film }) => {
      const parts = Array.from({ length: random.integer(2, 6) }, (_, i) => {
        const start = i * 1_300_000 + random.integer(0, 1_000_000);
        return `${start}-${start + random.integer(0, 20_000)}`;
      });
      return { title: film(), query: '', headers: { Range: `bytes=${parts.join(',')}` } };
    },
  },
  {
    name: 'revisit',
    weight: 6,
    ask: ({ random, last, film }) => {
      const { title, etag } = last ?? { title: film(), etag: '"none"' };
      return random.chance(0.3)
        ? { title, query: '', headers: { 'If-None-Match': etag }, leaveAfter: 64 * KIB }
        : {
            title,
            query: '',
            headers: { 'If-Range': etag },
            range: someRange(random, 128 * KIB, 128 * KIB),
            leaveAfter: 256 * KIB,
          };
    },
  },
  { name: 'head', weight: 3, ask: ({ film }) => ({ title: film(), query: '', method: 'HEAD' }) },
];

function someRange(random: Random, longest: number, start = 8 * 2 ** 20) {
  const from = random.integer(0, start);
  return { start: from, end: from + random.integer(1, longest) };
}

/** Players that come and go until they are told to stop. */
export class Crowd {
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;

  /** @param options `rate`: requests per second of all `players` together, about */
  constructor(downloader: Downloader, random: Random, { players, rate }: { players: number; rate: number }) {
    setMaxListeners(0, this.#stop.signal);
    const think = (players / rate) * 1000;
    this.#done = Promise.all(
      Array.from({ length: players }, () => new Player(downloader, random.fork(), think).run(this.#stop.signal)),
    );
  }

  /** Resolves when all have left. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

class Player {
  readonly film = (): Title => this.random.popular(this.downloader.library.films);
  readonly clip = (): Title => this.random.popular(this.downloader.library.clips);
  /** What it saw last, and in which version. */
  last: { readonly title: Title; readonly etag: string } | undefined;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(
    readonly downloader: Downloader,
    readonly random: Random,
    readonly think: number,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await sleep(this.random.wait(this.think), undefined, { signal });
        const behaviour = this.random.weighted(BEHAVIOURS);
        count(this.downloader.tally.behaviours, behaviour.name);
        const ask = behaviour.ask(this);
        const outcome = await this.downloader.fetch(ask, this.#agent);
        this.#remember(ask, outcome);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#agent.destroy();
    }
  }

  #remember({ title, query }: Ask, { etag }: Outcome): void {
    if (query === '' && etag !== undefined) this.last = { title, etag };
  }
}
