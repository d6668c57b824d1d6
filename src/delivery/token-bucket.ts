/** An account of bytes that fills up at a rate: what may be sent of it, and no more (a token bucket). */
export class TokenBucket {
  /** Bytes a second. */
  readonly #rate: number;
  /** Most bytes that it holds. */
  readonly #burst: number;
  #bytes: number;
  #at: number;

  /** @param now milliseconds of the monotonic clock */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#bytes = burst;
    this.#at = now;
  }

  /** Bytes that may be sent; less than 0 when more have been than should. */
  available(now: number): number {
    const earned = ((now - this.#at) / 1000) * this.#rate;
    this.#bytes = Math.min(this.#burst, this.#bytes + earned);
    this.#at = now;
    return this.#bytes;
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Milliseconds until so many bytes may be sent. */
  until(bytes: number, now: number): number {
    return Math.max(0, ((Math.min(bytes, this.#burst) - this.available(now)) / this.#rate) * 1000);
  }
}
