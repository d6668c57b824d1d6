/** How fast a reader has come forward of late: since it began or, later on, in about the last `span` milliseconds. */
export class Pace {
  readonly #span: number;
  /** Milliseconds of a monotonic clock. */
  #since = 0;
  #blocks = 0;

  constructor(span: number) {
    this.#span = span;
  }

  /** It begins anew. */
  restart(now: number): void {
    this.#since = now;
    this.#blocks = 0;
  }

  /**
   * It has read another block, or `count` of them. What lies further back counts for half each time that a span has
   * gone by.
   */
  advance(now: number, count = 1): void {
    this.#blocks += count;
    const passed = now - this.#since;
    if (passed <= this.#span * 2) return;
    this.#since = now - passed / 2;
    this.#blocks /= 2;
  }

  /** Blocks that it reads in a span at this pace, rounded up; Infinity while there is nothing to tell it by. */
  blocks(now: number): number {
    const passed = now - this.#since;
    if (passed <= 0 || this.#blocks === 0) return Number.POSITIVE_INFINITY;
    return Math.ceil((this.#blocks * this.#span) / passed);
  }
}
