import type { Log } from '../../base/log.js';
import type { ReplicaStats } from '../origin-stats.js';
import { Breaker, type BreakerOptions } from './breaker.js';
import type { ServerHealth } from './health-checks.js';
import { Holds } from './holds.js';

/** One of the servers that hold the same objects. */
export interface ReplicaOptions {
  /** Base URL: scheme, perhaps credentials, host, port and path prefix. */
  readonly url: string;
  /** Share of the requests in relation to the other weights, where they go by weight. */
  readonly weight: number;
  /** It stands before the others, which are asked when it fails; false when left out. */
  readonly isShield?: boolean;
}

/** What is known of how a server fares. */
export type ReplicaHealth = Pick<Breaker, keyof Breaker>;

/** A server with its health. */
export class Replica {
  readonly base: URL;
  readonly weight: number;
  readonly breaker: ReplicaHealth;
  readonly holds = new Holds();
  /** Versions that it does not have, by URL and validator. */
  readonly lacks = new Holds();
  /** Requests under way. */
  active = 0;
  /** Bytes of bodies that it has sent. */
  received = 0;
  /** It has answered 412 to a validator that was its own: preconditions are not sent any more. */
  refusesItself = false;
  /** Running value of smooth weighted round-robin. */
  credit = 0;
  readonly isShield: boolean;
  /** What active checks have found; undefined where there are none. */
  health: ServerHealth | undefined;

  constructor({ url, weight, isShield = false }: ReplicaOptions, breaker: ReplicaHealth) {
    this.isShield = isShield;
    this.base = new URL(url);
    this.weight = weight;
    this.breaker = breaker;
  }

  /** Numbers for /stats. */
  stats(now: number): ReplicaStats {
    const { isUp, last, checkedAt } = this.health ?? {};
    const up = isUp === undefined ? 'unknown' : isUp ? 'up' : 'down';
    const health = this.health && ({ state: up, last, checkedAt } as const);
    return { url: labelOf(this.base), state: this.breaker.state(now), active: this.active, health };
  }
}

/** A base URL without credentials. */
function labelOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** A server with a breaker that logs. */
function watched(options: ReplicaOptions, breaker: BreakerOptions, log: Log): Replica {
  const url = labelOf(new URL(options.url));
  const health = new Breaker(breaker, pause => {
    if (pause === undefined) log.info({ url }, 'the origin server is back');
    else log.warn({ url, pause }, 'the origin server fails and is given a rest');
  });
  return new Replica(options, health);
}

/** Options of `Replicas`. */
export interface ReplicasOptions {
  readonly servers: readonly ReplicaOptions[];
  /** Which is asked first: the first that is well, or each by its weight. */
  readonly balance: 'ordered' | 'weighted';
  /** Most requests that one server should be given at a time, while another is free; only where they go by weight. */
  readonly connections: number;
  readonly breaker: BreakerOptions;
  /** What an answer of 429 or 503 with Retry-After holds back: its URL, or all of its server. */
  readonly retryAfter: 'url' | 'server';
  readonly log: Log;
}

/** How the tries of one fetch have fared, for the choice of the next server. */
export interface Experience {
  /** Path and query of what is fetched. */
  readonly url: string;
  /** The same with the validator of the version that is wanted; undefined when any will do. */
  readonly version: string | undefined;
  /** Failures of each server that may pass. */
  readonly failures: ReadonlyMap<Replica, number>;
  /** Servers that have no right answer. */
  readonly hopeless: ReadonlySet<Replica>;
}

/** Milliseconds for which a server that did not have a version is not asked for it while another may have it. */
const LACKS_TIME = 60_000;

/** Chooses the server for each try of a fetch. */
export interface ServerChoice {
  readonly all: readonly Replica[];
  /**
   * The server for the next try, which counts as entered.
   * @param now milliseconds of a monotonic clock, as below
   * @returns undefined when all are hopeless
   */
  pick(now: number, experience: Experience): Replica | undefined;
  /** True when there is a server that has not failed yet, is well, and is not held back. */
  hasUntried(now: number, experience: Experience): boolean;
  /**
   * Milliseconds until a server may be asked that is held back by none of its answers: mostly 0; undefined when all are
   * hopeless.
   */
  wait(now: number, experience: Experience): number | undefined;
  /** Holds back what a server has asked to be held back. */
  hold(replica: Replica, now: number, url: string, pause: number): void;
  /** Remembers that a server does not have a version, when others may. */
  lacks(replica: Replica, now: number, version: string): void;
}

/** Chooses among the servers of one origin. */
export class Replicas implements ServerChoice {
  readonly all: readonly Replica[];
  readonly #weighted: boolean;
  readonly #hasShield: boolean;
  readonly #connections: number;
  readonly #holdsServer: boolean;

  constructor({ servers, balance, connections, breaker, retryAfter, log }: ReplicasOptions) {
    this.all = servers.map(each => watched(each, breaker, log));
    this.#weighted = balance === 'weighted';
    this.#hasShield = servers.some(({ isShield }) => isShield);
    this.#connections = connections;
    this.#holdsServer = retryAfter === 'server';
  }

  /** The one most likely to answer. Any that is not hopeless may be chosen. */
  pick(now: number, experience: Experience): Replica | undefined {
    const { url, version, failures, hopeless } = experience;
    const isBehind = (replica: Replica) => this.#hasShield && !replica.isShield;
    const rank = (replica: Replica) => {
      const isDown = replica.health?.isUp === false;
      const doubts = (failures.get(replica) ?? 0) + (replica.breaker.advises(now, url) ? 0 : 1) + (isDown ? 1 : 0);
      const isBusy = this.#weighted && replica.active >= this.#connections;
      const lacks = version !== undefined && replica.lacks.wait(version, now) > 0;
      return (
        (this.#held(replica, now, url) > 0 ? 1e6 : 0) +
        (lacks ? 1e3 : 0) +
        2 * doubts +
        (isBusy || isBehind(replica) ? 1 : 0)
      );
    };
    const ranked = this.all
      .filter(replica => !hopeless.has(replica))
      .map(replica => ({ replica, rank: rank(replica) }));
    const best = Math.min(...ranked.map(each => each.rank));
    const choice = this.#choose(ranked.filter(each => each.rank === best).map(({ replica }) => replica));
    choice?.breaker.enter(now, url);
    return choice;
  }

  hasUntried(now: number, { url, failures, hopeless }: Experience): boolean {
    return this.all.some(
      replica =>
        !hopeless.has(replica) &&
        !failures.has(replica) &&
        replica.breaker.advises(now, url) &&
        replica.health?.isUp !== false &&
        this.#held(replica, now, url) === 0,
    );
  }

  wait(now: number, { url, hopeless }: Experience): number | undefined {
    const waits = this.all.filter(replica => !hopeless.has(replica)).map(replica => this.#held(replica, now, url));
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  hold(replica: Replica, now: number, url: string, pause: number): void {
    replica.holds.hold(this.#holdsServer ? '' : url, now, pause);
  }

  lacks(replica: Replica, now: number, version: string): void {
    if (this.all.length > 1) replica.lacks.hold(version, now, LACKS_TIME);
  }

  #held(replica: Replica, now: number, url: string): number {
    return replica.holds.wait(this.#holdsServer ? '' : url, now);
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
