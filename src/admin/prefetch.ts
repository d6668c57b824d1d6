import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { EdgeError } from '../base/errors.js';
import { type EdgeUrl, fieldsOf, parseUrls } from './purge-request.js';

/** URLs that are fetched at once. */
const CONCURRENCY = 2;
/** Milliseconds between lines of progress of one URL. */
const PROGRESS_INTERVAL = 250;
/** Milliseconds without a byte after which a URL is given up. */
const STALL = 60_000;
const SECONDS_MAX = 24 * 3600;

/** Where players connect to. */
export interface PlayerAddress {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** What shall be in the cache before somebody asks for it. */
export interface PrefetchRequest {
  readonly urls: readonly EdgeUrl[];
  /** Only what a player needs for this many seconds from the start; undefined for whole files. */
  readonly seconds: number | undefined;
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
 * Reads a prefetch from the body of a request: `{"urls": […], "seconds": 30}`.
 * @throws EdgeError `bad_request`
 */
export function parsePrefetch(body: unknown): PrefetchRequest {
  const { urls, seconds } = fieldsOf(body, ['urls', 'seconds']);
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds > 0 && seconds <= SECONDS_MAX)) {
    throw new EdgeError('bad_request', `expected seconds to be a number above 0 and up to ${SECONDS_MAX}`);
  }
  return { urls: parseUrls(urls), seconds };
}

/**
 * Fills the cache as a player would: asks the edge's own port and throws the bytes away. So all rules of serving hold,
 * and each block is fetched once, whoever else wants it.
 * @param progress told now and then, and at the end of each URL
 */
export async function prefetchUrls(
  address: PlayerAddress,
  { urls, seconds }: PrefetchRequest,
  progress: (line: PrefetchProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const queue = urls.values();
  const runner = async () => {
    for (const url of queue) {
      if (signal.aborted) return;
      await fetchOne(address, withEnd(url, seconds), progress, signal);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
}

function withEnd(url: EdgeUrl, seconds: number | undefined): EdgeUrl {
  if (seconds === undefined) return url;
  return { ...url, query: `${url.query}${url.query === '' ? '' : '&'}start=0&end=${seconds}` };
}

function fetchOne(
  { scheme, host, port }: PlayerAddress,
  { host: name, path, query }: EdgeUrl,
  progress: (line: PrefetchProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const url = query === '' ? path : `${path}?${query}`;
  let bytes = 0;
  let total: number | undefined;
  let told = 0;
  return new Promise(resolve => {
    let ended = false;
    const end = (how: string) => {
      if (ended) return;
      ended = true;
      progress({ url, bytes, total, end: how });
      resolve();
    };
    const headers = { Host: name ?? hostField(host, port), Connection: 'close', 'User-Agent': 'moovedge-prefetch' };
    const asked = { host: reachable(host), port, path: url, headers, signal, timeout: STALL, agent: false };
    // The certificate bears the name that players know the edge by; this is the edge itself, by its address.
    const request =
      scheme === 'http' ? httpRequest(asked) : httpsRequest({ ...asked, rejectUnauthorized: false, servername: '' });
    request.on('timeout', () => request.destroy(new Error(`no byte for ${STALL / 1000} s`)));
    request.on('error', error => end(error.message));
    request.on('response', (response: IncomingMessage) => {
      const length = Number(response.headers['content-length']);
      const isGood = response.statusCode === 200;
      if (isGood && Number.isSafeInteger(length)) total = length;
      response.on('data', (chunk: Buffer) => {
        if (!isGood) return;
        bytes += chunk.length;
        if (performance.now() - told < PROGRESS_INTERVAL) return;
        told = performance.now();
        progress({ url, bytes, total });
      });
      response.on('end', () => end(isGood ? 'ok' : `status ${response.statusCode}`));
      response.on('error', error => end(error.message));
    });
    request.end();
  });
}

/**
 * Host field of a request to an address, which has brackets around it when it is one of IPv6 (RFC 3986 section 3.2.2).
 */
function hostField(host: string, port: number): string {
  const address = reachable(host);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An address that reaches a server which listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
