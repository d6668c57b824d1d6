import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { ownCredentials } from '../base/own-credentials.js';
import type { EdgeUrl } from './purge-request.js';

/** Milliseconds without a byte after which a URL is given up. */
const STALL = 60_000;

/** Where players connect to. */
export interface PlayerAddress {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** Where an edge reaches itself, and what it says there. */
export interface OwnAddress extends PlayerAddress {
  /** By which its workers know that it is the edge that asks. */
  readonly key: string;
  /** What the connection begins with, as with a header of the PROXY protocol. */
  readonly preface?: string | undefined;
}

/** What an answer brings, as it comes. */
export interface FetchSink {
  /** Bytes of the whole, when they are known. */
  length(bytes: number): void;
  bytes(chunk: Uint8Array): void;
}

/** Bounds how fast bytes are taken, of several answers together. */
export class Throttle {
  readonly #rate: number;
  /** When what was taken was due, in milliseconds of the monotonic clock. */
  #due = 0;

  /** @param rate bytes a second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Takes bytes. @returns milliseconds to wait before more are taken */
  take(bytes: number): number {
    const now = performance.now();
    this.#due = Math.max(this.#due, now) + (1000 * bytes) / this.#rate;
    return this.#due - now;
  }
}

/** Path with query. */
export function requestTarget({ path, query }: EdgeUrl): string {
  return query === '' ? path : `${path}?${query}`;
}

/**
 * Asks the edge's own port as a player would that is let in everywhere, as fast as it can be answered.
 * @returns `ok`, or why the URL could not be fetched
 */
export function fetchFromEdge(
  { scheme, host, port, key, preface }: OwnAddress,
  url: EdgeUrl,
  sink: FetchSink,
  signal: AbortSignal,
  throttle?: Throttle,
): Promise<string> {
  return new Promise(end => {
    const headers = {
      Host: url.host ?? hostField(host, port),
      Connection: 'close',
      'User-Agent': 'moovedge-prefetch',
      Authorization: ownCredentials(key),
    };
    const socket = connect(port, reachable(host));
    if (preface !== undefined) socket.write(preface, 'latin1');
    // The certificate bears the name that players know the edge by; this is the edge itself, by its address.
    const connection =
      scheme === 'http' ? socket : connectSecurely({ socket, rejectUnauthorized: false, servername: '' });
    if (connection !== socket) socket.on('error', error => connection.destroy(error));
    const createConnection = () => connection;
    const request = httpRequest({ path: requestTarget(url), headers, signal, timeout: STALL, createConnection });
    request.on('timeout', () => request.destroy(new Error(`no byte for ${STALL / 1000} s`)));
    request.on('error', error => end(error.message));
    request.on('response', (response: IncomingMessage) => {
      const length = Number(response.headers['content-length']);
      const isGood = response.statusCode === 200;
      if (isGood && Number.isSafeInteger(length)) sink.length(length);
      response.on('data', (chunk: Buffer) => {
        if (isGood) sink.bytes(chunk);
        if (throttle === undefined) return;
        response.pause();
        setTimeout(() => response.resume(), throttle.take(chunk.length));
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
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
