/** Most keys that are held back at a time; the oldest make room. */
const HOLDS_MAX = 1000;
/** Most milliseconds for which anything is held back, whatever the server asks for. */
const HOLD_LONGEST = 300_000;

/** What is not to be asked for before a time, because the server said so by Retry-After (RFC 9110 section 10.2.3). */
export class Holds {
  readonly #until = new Map<string, number>();

  /**
   * Holds `key` back.
   * @param now milliseconds of a monotonic clock, as below
   * @param pause milliseconds
   */
  hold(key: string, now: number, pause: number): void {
    this.#until.delete(key);
    this.#until.set(key, now + Math.min(HOLD_LONGEST, pause));
    if (this.#until.size > HOLDS_MAX) for (const oldest of this.#until.keys()) return void this.#until.delete(oldest);
  }

  /** Milliseconds for which `key` is still held back; 0 when it is not. */
  wait(key: string, now: number): number {
    const until = this.#until.get(key);
    if (until === undefined) return 0;
    if (until > now) return until - now;
    this.#until.delete(key);
    return 0;
  }
}
