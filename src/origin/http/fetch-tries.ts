import { BLOCK_SIZE } from '../../base/block.js';
import type { ErrorCode } from '../../base/errors.js';
import type { Validator } from '../origin.js';
import type { Refusal, Retry } from '../refusal.js';
import type { Experience, Replica, ServerChoice } from './replica.js';

/** What a server says that does not have a version. */
const WITHOUT: ReadonlySet<ErrorCode> = new Set(['not_found', 'gone', 'object_changed']);

/** Bounds of the tries of a fetch. */
export interface TryLimits {
  /** Tries after the first that bring no progress. */
  readonly retries: number;
  /** Milliseconds before a second try on the same server; doubled for each further one. */
  readonly backoff: number;
}

/** How the tries of one fetch have fared: which servers are left to ask, how many more tries, and when. */
export class FetchTries implements Experience {
  readonly url: string;
  version: string | undefined;
  readonly failures = new Map<Replica, number>();
  readonly hopeless = new Set<Replica>();
  /** The refusal of a server that has another version. */
  change: Refusal | undefined;
  readonly #limits: TryLimits;
  readonly #replicas: ServerChoice;
  #left: number;
  #delayed = 0;
  /** Offset in the object at which tries were last granted anew. */
  #grantedAt = 0;

  /** @param url path and query of what is fetched */
  constructor(url: string, limits: TryLimits, replicas: ServerChoice) {
    this.url = url;
    this.#limits = limits;
    this.#replicas = replicas;
    this.#left = limits.retries;
  }

  /** The version that is wanted from now on. */
  want({ etag, lastModified }: Validator): void {
    this.version = `${this.url}\n${etag ?? lastModified}`;
  }

  /** The first answer begins at `offset`. */
  beginAt(offset: number): void {
    this.#grantedAt = offset;
  }

  /** The body has come to `position`: each block that a fetch comes forward it is granted its tries anew. */
  cameTo(position: number): void {
    if (position - this.#grantedAt < BLOCK_SIZE) return;
    this.#grantedAt = position;
    this.#left = this.#limits.retries;
    this.#delayed = 0;
    this.failures.clear();
  }

  /** Takes one of the tries that are left; false when there is none. */
  spend(): boolean {
    return this.#left-- > 0;
  }

  /** Takes a try for one that failed. Each server may say once, at no cost, that it does not have the version. */
  spendFor(why: Refusal): boolean {
    return WITHOUT.has(why.error.code) || this.spend();
  }

  /**
   * Notes a try that failed, for this fetch and in what is known of the server.
   * @param isUnderWay the player has bytes of the version already
   * @param connected the server was reached
   * @param now milliseconds of a monotonic clock
   * @returns where the fetch may be tried again
   */
  failed(replica: Replica, why: Refusal, isUnderWay: boolean, connected: boolean, now: number): Retry {
    if (why.blame) replica.breaker.failed(now, this.url, connected);
    else if (why.answer) replica.breaker.succeeded();
    else replica.breaker.left(this.url);
    const { retryAfter = 0 } = why.error.options;
    if (why.retry === 'any' && retryAfter > 0) this.#replicas.hold(replica, now, this.url, retryAfter * 1000);
    if (why.error.code === 'object_changed') this.change = why;
    // Of a film under way another server may still have the version, whatever this one says.
    const isFinal = why.retry === 'never' && !(isUnderWay && why.answer !== undefined);
    const retry = why.retry === 'never' && !isFinal ? 'otherReplica' : why.retry;
    if (WITHOUT.has(why.error.code) && this.version !== undefined) this.#replicas.lacks(replica, now, this.version);
    if (retry === 'any') this.failures.set(replica, 1 + (this.failures.get(replica) ?? 0));
    else this.hopeless.add(replica);
    return retry;
  }

  /** Milliseconds before the next try after `why`. */
  delayAfter(why: Refusal, now: number): number {
    // An idle connection that turned out to be closed, or another server, is worth a try at once.
    const isIdle = !why.blame && why.answer === undefined;
    if (isIdle || this.#replicas.hasUntried(now, this)) return 0;
    return this.#limits.backoff * 2 ** this.#delayed++;
  }

  /** The same as if the try that `replica` has not answered yet had failed: for the choice of a second server. */
  without(replica: Replica): Experience {
    const { url, version, hopeless } = this;
    const failures = new Map(this.failures).set(replica, 1 + (this.failures.get(replica) ?? 0));
    return { url, version, hopeless, failures };
  }
}
