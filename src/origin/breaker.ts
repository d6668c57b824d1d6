/** `closed`: requests go through. `open`: none do. `half_open`: the pause is over and single requests try whether the server is back. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** Options of `Breaker`. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds of the first pause; each further one in a row is twice as long. */
  readonly cooldown: number;
  /** Longest pause in milliseconds. */
  readonly maxCooldown: number;
}

/**
 * Circuit breaker of one server: passive health, learned from the requests that are made anyway. Every `enter` must be followed by one
 * of `succeeded`, `failed` or `left`.
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
  #probing = false;

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

  /** True when a request may go through. */
  allows(now: number): boolean {
    const state = this.state(now);
    return state === 'closed' || (state === 'half_open' && !this.#probing);
  }

  /** Milliseconds until it is worth asking again; 0 when it is so already. */
  wait(now: number): number {
    return this.#until === undefined ? 0 : Math.max(0, this.#until - now);
  }

  /** A request goes through. */
  enter(now: number): void {
    if (this.state(now) === 'half_open') this.#probing = true;
  }

  /** A request was answered. */
  succeeded(): void {
    this.#failures = 0;
    this.#pauses = 0;
    this.#probing = false;
    if (this.#until === undefined) return;
    this.#until = undefined;
    this.#changed(undefined);
  }

  /**
   * A request failed in a way that the server is to blame for.
   * @param retryAfter seconds that the server itself asked for, which open the breaker at once
   */
  failed(now: number, retryAfter: number | undefined): void {
    const state = this.state(now);
    // What was under way when it opened says nothing new.
    if (state === 'open') return;
    this.#probing = false;
    this.#failures++;
    if (state === 'closed' && this.#failures < this.#options.failures && !retryAfter) return;
    const { cooldown, maxCooldown } = this.#options;
    const pause = Math.min(maxCooldown, retryAfter ? retryAfter * 1000 : cooldown * 2 ** this.#pauses);
    this.#pauses++;
    this.#until = now + pause;
    this.#changed(pause);
  }

  /** A request was given up before its outcome was known. */
  left(): void {
    this.#probing = false;
  }
}
