/** A deadline that signs of life put off, each at the cost of one look at the clock rather than of a new timer. */
export class IdleTimeout {
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer goes off, on the clock of `performance.now()`. */
  #due = 0;
  #limit = 0;
  #alive = 0;

  /** @param expired called when nothing has happened for the limit; the watch has stopped then */
  constructor(expired: () => void) {
    this.#expired = expired;
  }

  /** Begins anew, with `limit` milliseconds. */
  start(limit: number): void {
    this.#limit = limit;
    this.#alive = performance.now();
    // One that goes off before the limit looks again then.
    if (this.#timer === undefined || this.#due > this.#alive + limit) this.#setTimer(limit);
  }

  /** A sign of life. */
  touch(): void {
    this.#alive = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #setTimer(ms: number): void {
    clearTimeout(this.#timer);
    this.#due = performance.now() + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const left = this.#alive + this.#limit - performance.now();
    if (left > 0) {
      this.#setTimer(left);
      return;
    }
    this.#timer = undefined;
    this.#expired();
  }
}
