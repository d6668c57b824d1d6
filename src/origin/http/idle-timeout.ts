/** A deadline that signs of life put off, each at the cost of one look at the clock rather than of a new timer. */
export class IdleTimeout {
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #limit = 0;
  #alive = 0;

  /** @param expired called when nothing has happened for the limit; the watch has stopped then */
  constructor(expired: () => void) {
    this.#expired = expired;
  }

  /** Begins anew, with `limit` milliseconds. */
  start(limit: number): void {
    this.stop();
    this.#limit = limit;
    this.#alive = performance.now();
    this.#timer = setTimeout(() => this.#look(), limit);
  }

  /** A sign of life. */
  touch(): void {
    this.#alive = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const left = this.#alive + this.#limit - performance.now();
    if (left > 0) {
      this.#timer = setTimeout(() => this.#look(), left);
      return;
    }
    this.#timer = undefined;
    this.#expired();
  }
}
