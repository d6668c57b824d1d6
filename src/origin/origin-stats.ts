import type { Origin } from './origin.js';

/**
 * `closed`: the server is well. `open`: it is given a rest. `half_open`: the pause is over and single requests try
 * whether it is back.
 */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** Numbers of one server, for /stats. */
export interface ReplicaStats {
  /** Without credentials. */
  readonly url: string;
  readonly state: BreakerState;
  /** Requests under way. */
  readonly active: number;
  /** What active checks have found; undefined where there are none. */
  readonly health?:
    | {
        readonly state: 'up' | 'down' | 'unknown';
        /** Status of the last answer, or what there was in its place. */
        readonly last: number | string | undefined;
        /** Milliseconds since 1970. */
        readonly checkedAt: number | undefined;
      }
    | undefined;
}

/** Counters of one origin; plain fields that only grow, but for those that say "at this moment". */
export interface OriginStats {
  /**
   * Requests sent to the origin, by the status of their answer, or by error code (`origin_unavailable`,
   * `origin_timeout` …) when none came.
   */
  readonly requests: Record<string, number>;
  /** Bytes of body received. */
  responseBytes: number;
  /** Tries after the first of a fetch. */
  retries: number;
  /** Second requests sent because the first byte was late. */
  hedges: number;
  /** Fetches turned away because the queue was full, or that waited in it in vain. */
  overloads: number;
  /** Fetches that gave their places up because their readers took nothing while others waited. */
  yields: number;
  /** Fetches that run and that wait at this moment. */
  readonly active: number;
  readonly queued: number;
  /** The servers at this moment; empty for a directory. */
  readonly replicas: readonly ReplicaStats[];
}

/** Counters at zero, with those fields that say what is at this moment. */
export function originStats(now: Pick<OriginStats, 'active' | 'queued' | 'replicas'>): OriginStats {
  return Object.defineProperties(
    { requests: {}, responseBytes: 0, retries: 0, hedges: 0, overloads: 0, yields: 0 },
    Object.getOwnPropertyDescriptors(now),
  ) as OriginStats;
}

/** An origin that counts. */
export interface ManagedOrigin extends Origin {
  readonly stats: OriginStats;
}

/** What an origin tells the metrics as it happens. */
export interface OriginObserver {
  /** Seconds from the sending of a request to the head of its answer. */
  ttfb(seconds: number): void;
}

/** Adds one to the count of a status or error code. */
export function countRequest(stats: Pick<OriginStats, 'requests'>, outcome: number | string): void {
  stats.requests[outcome] = (stats.requests[outcome] ?? 0) + 1;
}
