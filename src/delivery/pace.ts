import type { Paced, Pacer } from './pacer.js';
import type { TokenBucket } from './token-bucket.js';

/** Bytes of a turn: fewer are worth no turn, unless nothing more is left. */
const CHUNK = 64 * 1024;
/** Milliseconds between two turns, at least and at most. */
const SHORTEST = 50;
const LONGEST = 1000;
/** Bytes that are sent before the bitrate of a film is known. */
const UNKNOWN_BURST = 1024 * 1024;

/** How fast one answer goes: by what its connection, its client and all players may have together. */
export class AnswerPace {
  readonly #pacer: Pacer;
  /** Its own first; undefined while its rate is not known. */
  #own: TokenBucket | undefined;
  readonly #shared: readonly TokenBucket[];
  /** Bytes that were sent while its rate was not known; undefined once it is. */
  #early: number | undefined = 0;
  #cancel: (() => void) | undefined;

  /** @param shared what it has in common with others */
  constructor(pacer: Pacer, shared: readonly TokenBucket[]) {
    this.#pacer = pacer;
    this.#shared = shared;
  }

  /** Its own account is known; undefined where it has none. */
  found(own: TokenBucket | undefined): void {
    if (this.#early === undefined) return;
    own?.spend(this.#early);
    this.#early = undefined;
    this.#own = own;
  }

  /**
   * Bytes that may be sent now.
   * @param wanted bytes that are left of the answer
   */
  allowance(wanted: number): number {
    const now = performance.now();
    let least = this.#early === undefined ? wanted : Math.min(wanted, UNKNOWN_BURST - this.#early);
    if (this.#own !== undefined) least = Math.min(least, this.#own.available(now));
    for (const bucket of this.#shared) least = Math.min(least, bucket.available(now));
    return least >= Math.min(CHUNK, wanted) ? Math.floor(least) : 0;
  }

  spend(bytes: number): void {
    if (this.#early !== undefined) this.#early += bytes;
    this.#own?.spend(bytes);
    for (const bucket of this.#shared) bucket.spend(bytes);
  }

  /**
   * Wakes once more may be sent.
   * @param wanted bytes that are left of the answer
   */
  wait(paced: Paced, wanted: number): void {
    const now = performance.now();
    const bytes = Math.min(CHUNK, wanted);
    let longest = SHORTEST;
    if (this.#own !== undefined) longest = Math.max(longest, this.#own.until(bytes, now));
    for (const bucket of this.#shared) longest = Math.max(longest, bucket.until(bytes, now));
    this.#cancel?.();
    this.#cancel = this.#pacer.wait(paced, Math.min(LONGEST, longest));
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
