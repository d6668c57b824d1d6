import type { CacheOutcome } from '../base/cache-outcome.js';

/** One answer, as the access log tells it. */
export interface AccessEntry {
  /** When the request came, in milliseconds since 1970. */
  readonly time: number;
  /** Of the request, as origins, other edges and error answers are told it. */
  readonly id: string;
  /** Address of the player. */
  readonly client: string;
  readonly method: string;
  /** Host field. */
  readonly host: string;
  /** Path with query, as the player sent it. */
  readonly url: string;
  /** Such as HTTP/1.1. */
  readonly protocol: string;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** Seconds from the request to the last byte, or to the moment the player left. */
  readonly seconds: number;
  /** Seconds from the request to the first byte. */
  readonly ttfb: number | undefined;
  /** How the answer ended: whole, because the player left, or cut by the edge. */
  readonly end: 'whole' | 'left' | 'cut';
  readonly outcome: CacheOutcome | undefined;
  /** Name of the origin that the request is for. */
  readonly origin: string | undefined;
  /** Host and path of the first route that fits. */
  readonly route: string | undefined;
  /** Why the answer is none, or ended before its end. */
  readonly error: string | undefined;
  /** Range field. */
  readonly range: string | undefined;
  readonly referer: string | undefined;
  readonly agent: string | undefined;
}
