/** When a process that has died is started again. Times in milliseconds. */
export interface BackoffOptions {
  /** A process that has lived for less has died early. */
  readonly early: number;
  /** Wait after an early death, doubled with each further one in a row. */
  readonly first: number;
  readonly longest: number;
  /** Wait after any death; default 0. */
  readonly least?: number;
  /** Early deaths in a row that count as none; default 0. */
  readonly free?: number;
}

/** Spaces the replacements of a process out that keeps dying early. */
export class Backoff {
  readonly #options: BackoffOptions;
  #earlyDeaths = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /**
   * Takes note of a death and has the process replaced when it is time.
   * @param lived milliseconds from the process's start to its end
   * @returns milliseconds until `start` is called
   */
  replace(lived: number, start: () => void): number {
    const delay = this.died(lived);
    this.#timer = setTimeout(start, delay);
    return delay;
  }

  /** Nothing is replaced any more. */
  cancel(): void {
    clearTimeout(this.#timer);
  }

  /** Takes note of a death; returns milliseconds to wait before the process is replaced. */
  died(lived: number): number {
    const { early, first, longest, least = 0, free = 0 } = this.#options;
    this.#earlyDeaths = lived >= early ? 0 : this.#earlyDeaths + 1;
    const waits = this.#earlyDeaths - free;
    return waits <= 0 ? least : Math.max(least, Math.min(longest, first * 2 ** (waits - 1)));
  }
}
