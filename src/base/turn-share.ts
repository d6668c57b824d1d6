/** A share of each turn of the event loop, for work of one kind. It begins when somebody asks for it. */
export class TurnShare {
  readonly #length: number;
  readonly #clock: () => number;
  readonly #renew: () => void;
  /** When that of this turn began; undefined before. */
  #since: number | undefined;

  /**
   * @param length milliseconds
   * @param clock milliseconds; it only rises
   * @param renewed called in the next turn, once for each turn in which somebody asked
   */
  constructor(length: number, clock: () => number, renewed: () => void) {
    this.#length = length;
    this.#clock = clock;
    this.#renew = () => {
      this.#since = undefined;
      renewed();
    };
  }

  /** Whether the share of this turn is used up. */
  get isOver(): boolean {
    const now = this.#clock();
    if (this.#since !== undefined) return now - this.#since >= this.#length;
    this.#since = now;
    setImmediate(this.#renew);
    return false;
  }
}
