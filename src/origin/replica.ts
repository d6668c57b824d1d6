import type { Log } from '../observe/log-type.js';
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.js';

/** One of the servers that hold the same objects. */
export interface ReplicaOptions {
  /** Base URL: scheme, perhaps credentials, host, port and path prefix. */
  readonly url: string;
  /** Share of the requests in relation to the other weights, where they go by weight. */
  readonly weight: number;
}

/** Numbers of one server, for /stats. */
export interface ReplicaStats {
  /** Without credentials. */
  readonly url: string;
  readonly state: BreakerState;
  /** Requests under way. */
  readonly active: number;
}

/** A server with its health. */
export class Replica {
  readonly base: URL;
  readonly weight: number;
  readonly breaker: Breaker;
  /** Requests under way. */
  active = 0;
  /** Running value of smooth weighted round-robin. */
  credit = 0;

  constructor(options: ReplicaOptions, breaker: BreakerOptions, log: Log) {
    this.base = new URL(options.url);
    this.weight = options.weight;
    this.breaker = new Breaker(breaker, pause => {
      if (pause === undefined) log.info({ url: this.#label }, 'the origin server is back');
      else log.warn({ url: this.#label, pause }, 'the origin server fails and is given a rest');
    });
  }

  /** Numbers for /stats. */
  stats(now: number): ReplicaStats {
    return { url: this.#label, state: this.breaker.state(now), active: this.active };
  }

  /** The base URL without credentials. */
  get #label(): string {
    return `${this.base.origin}${this.base.pathname}`;
  }
}

/** Options of `Replicas`. */
export interface ReplicasOptions {
  readonly servers: readonly ReplicaOptions[];
  /** Which is asked first: the first that is well, or each by its weight. */
  readonly balance: 'ordered' | 'weighted';
  /** Most requests that one server should be given at a time, while another is free; only where they go by weight. */
  readonly connections: number;
  readonly breaker: BreakerOptions;
  readonly log: Log;
}

/** Chooses among the servers of one origin. */
export class Replicas {
  readonly all: readonly Replica[];
  readonly #weighted: boolean;
  readonly #connections: number;

  constructor({ servers, balance, connections, breaker, log }: ReplicasOptions) {
    this.all = servers.map(each => new Replica(each, breaker, log));
    this.#weighted = balance === 'weighted';
    this.#connections = connections;
  }

  /**
   * The server for the next try, which counts as entered. Those in `avoid` come last, those in `never` not at all.
   * @param now milliseconds of a monotonic clock
   * @returns undefined when every one is resting or ruled out
   */
  pick(now: number, avoid: ReadonlySet<Replica>, never: ReadonlySet<Replica>): Replica | undefined {
    const allowed = this.all.filter(replica => !never.has(replica) && replica.breaker.allows(now));
    const busy = (replica: Replica) => this.#weighted && replica.active >= this.#connections;
    const rank = (replica: Replica) => (avoid.has(replica) ? 2 : 0) + (busy(replica) ? 1 : 0);
    const best = Math.min(...allowed.map(rank));
    const choice = this.#choose(allowed.filter(replica => rank(replica) === best));
    choice?.breaker.enter(now);
    return choice;
  }

  /** Milliseconds until the first of them is worth asking again. */
  wait(now: number): number {
    return Math.min(...this.all.map(({ breaker }) => breaker.wait(now)));
  }

  #choose(candidates: readonly Replica[]): Replica | undefined {
    if (!this.#weighted || candidates.length < 2) return candidates[0];
    let total = 0;
    let best = candidates[0]!;
    for (const candidate of candidates) {
      candidate.credit += candidate.weight;
      total += candidate.weight;
      if (candidate.credit > best.credit) best = candidate;
    }
    best.credit -= total;
    return best;
  }
}
