import type { BreakerState } from '../origin-stats.js';
/** Options of `Breaker`. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds of the first pause; each further one in a row is twice as long. */
  readonly cooldown: number;
  /** Longest pause in milliseconds. */
  readonly maxCooldown: number;
}

/** Most URLs that are remembered as those that failed. */
const SUSPECTS_MAX = 64;

/**
 * Circuit breaker of one server: passive health, learned from how the connections of requests fare that are made
 * anyway; what the server answers under one URL is no part of it. It advises: whoever has no other server asks this one
 * all the same. Every `enter` must be followed by one of `succeeded`, `failed` or `left`.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #changed: (pause: number | undefined) => void;
  /** Failures in a row. */
  #failures = 0;
  /** Pauses in a row. */
  #pauses = 0;
  /** Milliseconds, on the clock of `now`, at which the pause ends; undefined when closed. */
  #until: number | undefined;
  /** URL of the request that tries whether the server is back. */
  #probe: string | undefined;
  /**
   * URLs that failed since the last success: it may be them rather than the server, so they don't try whether it is
   * back.
   */
  readonly #suspects = new Set<string>();

  /** @param changed called when it opens, with the milliseconds of the pause, and with undefined when it closes */
  constructor(options: BreakerOptions, changed: (pause: number | undefined) => void = () => {}) {
    this.#options = options;
    this.#changed = changed;
  }

  /** @param now milliseconds of a monotonic clock, as below */
  state(now: number): BreakerState {
    if (this.#until === undefined) return 'closed';
    return now < this.#until ? 'open' : 'half_open';
  }

  /** True when a request for `url` should go to this server. */
  advises(now: number, url: string): boolean {
    if (this.#until === undefined) return true;
    if (this.#probe !== undefined || now < this.#until) return false;
    // A suspicious URL is let through when no other one is asked for.
    return !this.#suspects.has(url) || now >= this.#until + this.#options.maxCooldown;
  }

  /** A request for `url` goes through, as advised or for want of another server. */
  enter(now: number, url: string): void {
    if (this.#until !== undefined && this.advises(now, url)) this.#probe = url;
  }

  /** A request was answered, whatever the answer. */
  succeeded(): void {
    this.#suspects.clear();
    this.#failures = 0;
    this.#pauses = 0;
    this.#probe = undefined;
    if (this.#until === undefined) return;
    this.#until = undefined;
    this.#changed(undefined);
  }

  /**
   * A connection could not be made, broke, or fell silent.
   * @param connected false when the URL can't be the cause, because it came to no request
   */
  failed(now: number, url: string, connected: boolean): void {
    const state = this.state(now);
    if (connected && this.#suspects.size < SUSPECTS_MAX) this.#suspects.add(url);
    // What was under way when it opened says nothing new, nor does what was asked for want of another server.
    if (state === 'open' || (state === 'half_open' && url !== this.#probe)) return;
    this.#probe = undefined;
    this.#failures++;
    if (state === 'closed' && this.#failures < this.#options.failures) return;
    const { cooldown, maxCooldown } = this.#options;
    const pause = Math.min(maxCooldown, cooldown * 2 ** this.#pauses);
    this.#pauses++;
    this.#until = now + pause;
    this.#changed(pause);
  }

  /** A request was given up before its outcome was known. */
  left(url: string): void {
    if (url === this.#probe) this.#probe = undefined;
  }
}
