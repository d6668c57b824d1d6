import { randomNumbers, zipf } from './film-trace.js';

const MEBIBYTE = 2 ** 20;

/** A range that a player asks for. */
export interface Chunk {
  /** Bytes from and to (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Seconds that its bytes play, or that the player thinks before it goes on. */
  readonly seconds: number;
}

/** What one player does. */
export interface Session {
  /** Seconds after the beginning of the trace at which it starts. */
  readonly at: number;
  readonly path: string;
  readonly chunks: readonly Chunk[];
}

/** What sessions are made from. */
export interface SessionOptions {
  readonly films: number;
  /** MiB of each film. */
  readonly filmSize: number;
  /** Players that start per second. */
  readonly arrivals: number;
  /** Length of the trace. */
  readonly seconds: number;
  readonly seed: number;
}

/** What a player reads first: the index at the beginning of its film. */
const HEAD = 64 * 1024;
/** What it reads at a time afterwards, and how many seconds that plays: 8 Mbit/s. */
const CHUNK = MEBIBYTE / 2;
const CHUNK_SECONDS = 0.5;
/** Chunks that it reads on average; exponentially spread. */
const CHUNKS = 12;
/** Share of chunks before which it goes somewhere else in the film, or stops for a while. */
const SEEKS = 0.08;
const PAUSES = 0.04;
const PAUSE_SECONDS = 2;

/**
 * Players of films whose popularity follows Zipf's law. They come at random (Poisson), read the head, then the film
 * from its beginning or, four of ten, from anywhere, chunk by chunk at the pace at which it plays, with seeks and
 * pauses, and leave.
 */
export function sessions({ films, filmSize, arrivals, seconds, seed }: SessionOptions): Session[] {
  const random = randomNumbers(seed * 7919);
  const pick = zipf(films, 0.8, random);
  const spread = (mean: number) => -Math.log(1 - random()) * mean;
  const size = filmSize * MEBIBYTE;
  const anywhere = () => Math.floor(random() * (size - CHUNK));
  const all: Session[] = [];
  for (let at = spread(1 / arrivals); at < seconds; at += spread(1 / arrivals)) {
    const chunks: Chunk[] = [{ from: 0, to: HEAD, seconds: 0 }];
    let from = random() < 0.6 ? HEAD : anywhere();
    for (let left = Math.ceil(spread(CHUNKS)); left > 0; left--) {
      if (random() < SEEKS) from = anywhere();
      const to = Math.min(size, from + CHUNK);
      const pause = random() < PAUSES ? PAUSE_SECONDS : 0;
      chunks.push({ from, to, seconds: CHUNK_SECONDS + pause });
      if (to === size) break;
      from = to;
    }
    all.push({ at, path: `/${filmSize}/${pick()}.mp4`, chunks });
  }
  return all;
}
