import { EdgeError } from '../base/errors.js';
import { parseSize } from '../config/units.js';
import { LEAST_RATE } from '../config/warm-schema.js';
import { type FetchSink, fetchFromEdge, type OwnAddress, requestTarget, Throttle } from './edge-fetch.js';
import { fetchPlaylists, manifestOf } from './prefetch-hls.js';
import { type EdgeUrl, fieldsOf, parseUrls } from './purge-request.js';

/** URLs that are fetched at once. */
const CONCURRENCY = 2;
/** Milliseconds between lines of progress of one URL. */
const PROGRESS_INTERVAL = 250;
const SECONDS_MAX = 24 * 3600;
const RATE_MIN = parseSize(LEAST_RATE)!;

/** What shall be in the cache before somebody asks for it. */
export interface PrefetchRequest {
  readonly urls: readonly EdgeUrl[];
  /** Only what a player needs for this many seconds from the start; undefined for whole files. */
  readonly seconds: number | undefined;
  /** As players of HLS ask for it: playlists, and all that they name. */
  readonly hls: boolean;
  /** Most bytes a second, of all URLs together; undefined for as fast as it goes. */
  readonly rate: number | undefined;
}

/** How far a URL has come. */
export interface PrefetchProgress {
  /** Path with query. */
  readonly url: string;
  readonly bytes: number;
  /** Bytes of the whole; undefined while that is not known. */
  readonly total: number | undefined;
  /** On the last line of a URL: `ok`, or why it could not be fetched. */
  readonly end?: string;
}

/**
 * Reads a prefetch from the body of a request: `{"urls": […], "seconds": 30, "hls": true, "rate": 1000000}`.
 * @throws EdgeError `bad_request`
 */
export function parsePrefetch(body: unknown): PrefetchRequest {
  const { urls, seconds, hls = false, rate } = fieldsOf(body, ['urls', 'seconds', 'hls', 'rate']);
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds > 0 && seconds <= SECONDS_MAX)) {
    throw new EdgeError('bad_request', `expected seconds to be a number above 0 and up to ${SECONDS_MAX}`);
  }
  if (typeof hls !== 'boolean') throw new EdgeError('bad_request', 'expected hls to be true or false');
  if (rate !== undefined && !(typeof rate === 'number' && rate >= RATE_MIN && Number.isFinite(rate)))
    throw new EdgeError('bad_request', `expected rate to be bytes a second, at least ${LEAST_RATE}`);
  return { urls: parseUrls(urls), seconds, hls, rate };
}

/**
 * Fills the cache as a player would: asks the edge's own port and throws the bytes away. So all rules of serving hold
 * but those that keep players out or slow them down, and each block is fetched once, whoever else wants it.
 * @param progress told now and then, and at the end of each URL
 */
export async function prefetchUrls(
  address: OwnAddress,
  { urls, seconds, hls, rate }: PrefetchRequest,
  progress: (line: PrefetchProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const queue = urls.values();
  const throttle = rate === undefined ? undefined : new Throttle(rate);
  const runner = async () => {
    for (const url of queue) {
      if (signal.aborted) return;
      const asked = hls ? manifestOf(url) : withEnd(url, seconds);
      const told = new Told(requestTarget(asked), progress);
      const fetch = (each: EdgeUrl, sink: FetchSink) => fetchFromEdge(address, each, sink, signal, throttle);
      told.end(await (hls ? fetchPlaylists(asked, seconds, fetch, told) : fetch(asked, told)));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
}

function withEnd(url: EdgeUrl, seconds: number | undefined): EdgeUrl {
  if (seconds === undefined) return url;
  return { ...url, query: `${url.query}${url.query === '' ? '' : '&'}start=0&end=${seconds}` };
}

/** Tells how far one URL has come. */
class Told implements FetchSink {
  #bytes = 0;
  #total: number | undefined;
  #last = 0;

  constructor(
    private readonly url: string,
    private readonly progress: (line: PrefetchProgress) => void,
  ) {}

  length(bytes: number): void {
    this.#total = bytes;
  }

  bytes(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (performance.now() - this.#last < PROGRESS_INTERVAL) return;
    this.#last = performance.now();
    this.progress({ url: this.url, bytes: this.#bytes, total: this.#total });
  }

  end(how: string): void {
    this.progress({ url: this.url, bytes: this.#bytes, total: this.#total, end: how });
  }
}
