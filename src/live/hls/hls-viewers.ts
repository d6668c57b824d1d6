/** Milliseconds over which requests are counted. */
const SPAN = 6000;

/**
 * How many players of HLS there are, of whom there is nothing between two requests: as many as would ask for playlists
 * as often. One that blocks asks once a part, another one once a target duration.
 */
export class HlsViewers {
  readonly #now: () => number;
  #begunAt: number;
  /** Milliseconds of playing that requests stand for, in this span and in the one before. */
  #current = 0;
  #before = 0;

  /** @param now milliseconds of a clock that only goes on */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#begunAt = now();
  }

  /** A player has asked for a playlist. @param lasts milliseconds until it asks again */
  asked(lasts: number): void {
    this.#turn();
    this.#current += lasts;
  }

  get count(): number {
    const elapsed = this.#turn();
    return Math.round((this.#before * (SPAN - elapsed)) / SPAN / SPAN + this.#current / SPAN);
  }

  #turn(): number {
    let elapsed = this.#now() - this.#begunAt;
    if (elapsed >= SPAN) {
      this.#before = elapsed < 2 * SPAN ? this.#current : 0;
      this.#current = 0;
      this.#begunAt += Math.floor(elapsed / SPAN) * SPAN;
      elapsed = this.#now() - this.#begunAt;
    }
    return elapsed;
  }
}
