/** Milliseconds between two looks. */
const INTERVAL = 1000;
/** Share of a new figure. */
const WEIGHT = 0.2;

/**
 * How much an edge sends: bytes a second, over the last seconds, divided by its weight, so that edges can be compared.
 * Each worker takes its own for the mean of all.
 */
export class LoadMeter {
  readonly #sent: () => number;
  readonly #workers: number;
  readonly #timer: NodeJS.Timeout;
  #before = 0;
  #time = performance.now();
  #rate = 0;

  /**
   * @param sent bytes that this worker has sent, which only grow; not called from within
   * @param workers of this edge
   * @param interval milliseconds between two looks
   */
  constructor(sent: () => number, workers: number, interval = INTERVAL) {
    this.#sent = sent;
    this.#workers = workers;
    this.#timer = setInterval(() => this.#look(), interval).unref();
  }

  /** @param weight of this edge */
  load(weight: number): number {
    return (this.#rate * this.#workers) / weight;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const sent = this.#sent();
    const rate = ((sent - this.#before) * 1000) / Math.max(1, now - this.#time);
    this.#rate += WEIGHT * (rate - this.#rate);
    this.#before = sent;
    this.#time = now;
  }
}
