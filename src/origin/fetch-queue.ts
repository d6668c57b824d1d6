/** Bounds the fetches of one origin: so many run, so many wait in order of arrival, and the rest are turned away. */
export class FetchQueue {
  /** Fetches that run. */
  active = 0;
  readonly #limit: number;
  readonly #length: number;
  readonly #waiting = new Set<() => void>();

  /**
   * @param limit most fetches that run
   * @param length most fetches that wait
   */
  constructor(limit: number, length: number) {
    this.#limit = limit;
    this.#length = length;
  }

  /** Fetches that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks for a place. `queued` means that `start` will be called when it is there; until then `forget` takes it back. */
  enter(start: () => void): 'running' | 'queued' | 'full' {
    if (this.active < this.#limit) {
      this.active++;
      return 'running';
    }
    if (this.#waiting.size >= this.#length) return 'full';
    this.#waiting.add(start);
    return 'queued';
  }

  /** Takes back a place in the queue; false when it was not waiting. */
  forget(start: () => void): boolean {
    return this.#waiting.delete(start);
  }

  /** A running fetch is over: the next one starts in its place. */
  leave(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.active--;
  }
}
