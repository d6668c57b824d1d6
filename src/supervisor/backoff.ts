/** A worker that dies within this many milliseconds died early. */
const EARLY = 5000;
const FIRST = 100;
const LONGEST = 5000;

/** Spaces the replacements of workers out that keep dying early; one that died after a while is replaced at once. */
export class Backoff {
  #earlyDeaths = 0;

  /**
   * Takes note of a death.
   * @param lived milliseconds from the process's start to its end
   * @returns milliseconds to wait before it is replaced
   */
  died(lived: number): number {
    this.#earlyDeaths = lived >= EARLY ? 0 : this.#earlyDeaths + 1;
    return this.#earlyDeaths <= 1 ? 0 : Math.min(LONGEST, FIRST * 2 ** (this.#earlyDeaths - 2));
  }
}
