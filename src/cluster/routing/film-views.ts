/** Counters in each row, a power of two, and the rows; 256 KB together. */
const COUNTERS = 65_536;
const ROWS = 2;
const COUNT_MAX = 65_535;
/** Milliseconds after which all counts are halved, so that they are of about a day. */
const HALF_LIFE = 12 * 3_600_000;

/**
 * About how often each film was begun here within a day, in a space that does not grow with the films: a count-min
 * sketch. It never says too few but by age, and for rare films seldom too many.
 */
export class FilmViews {
  readonly #counts = new Uint16Array(ROWS * COUNTERS);
  #halved = Number.NEGATIVE_INFINITY;

  /** @param film number of 0 to 1 that is the film's; @param now milliseconds of a monotonic clock */
  count(film: number, now: number): void {
    if (now - this.#halved > HALF_LIFE) this.#halve(now);
    for (let row = 0; row < ROWS; row++) {
      const at = placeOf(film, row);
      if (this.#counts[at]! < COUNT_MAX) this.#counts[at]!++;
    }
  }

  of(film: number): number {
    let least = COUNT_MAX;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[placeOf(film, row)]!);
    return least;
  }

  #halve(now: number): void {
    if (this.#halved > Number.NEGATIVE_INFINITY) {
      for (let at = 0; at < this.#counts.length; at++) this.#counts[at]! >>>= 1;
    }
    this.#halved = now;
  }
}

/** Other bits of the film's number for each row. */
function placeOf(film: number, row: number): number {
  return row * COUNTERS + ((Math.floor(film * 2 ** 32) >>> (row * 16)) % COUNTERS);
}
