import { fetchWhole } from './contest.js';
import { rangesOf } from './hot.js';
import type { Server } from './server.js';
import { load, writeRequests } from './wrk.js';

/** Path of the film whose ranges are asked for, at a noise-origin.ts, and its size. */
const FILM = '/64/film.mp4';
const FILM_SIZE = 64 * 2 ** 20;
const LENGTH = 4096;

/** What a server does with requests that come as fast as it answers. */
export interface Steady {
  /** Processor time of the server per request. */
  cpuMicroseconds: number;
  /** Requests per second. */
  rate: number;
  /** Seconds. */
  p99: number;
  failed: number;
  /** Bytes of memory that belong to no file, while the requests run. */
  anonymous: number;
}

/**
 * Has the server fetch a film of a noise-origin.ts into its memory, and writes a list of ranges of 4 KiB all over it.
 */
export async function hotRanges(server: Server, file: string): Promise<string> {
  await fetchWhole(server, FILM, FILM_SIZE);
  return writeRequests(file, rangesOf(FILM, FILM_SIZE, LENGTH));
}

/** Sends a server requests of a list for some seconds. */
export async function measure(server: Server, list: string, seconds: number, connections = 64): Promise<Steady> {
  const before = server.cpuSeconds();
  const running = load(server.url, list, { seconds, connections, seed: Math.ceil(performance.now()) });
  let anonymous = 0;
  const look = setTimeout(() => {
    anonymous = server.memory().anonymous;
  }, seconds * 900);
  try {
    const { requests, seconds: taken, p99, failed } = await running;
    const cpuMicroseconds = ((server.cpuSeconds() - before) / requests) * 1e6;
    return { cpuMicroseconds, rate: requests / taken, p99, failed, anonymous };
  } finally {
    clearTimeout(look);
  }
}
