/** Who waits until more may be sent. */
export interface Waiting {
  /** There is room again. */
  roomy(): void;
}

/**
 * Bytes that Node may hold of the answers on one connection, because the connection has not taken them: whoever reads
 * slowly, or asks for many things at once and reads none, costs no more.
 */
export class SendBudget {
  readonly #most: number;
  readonly #waiting = new Set<Waiting>();
  #held = 0;

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many more bytes may be held. */
  get room(): number {
    return Math.max(0, this.#most - this.#held);
  }

  hold(bytes: number): void {
    this.#held += bytes;
  }

  /** Waits until half of the budget is free. */
  wait(who: Waiting): void {
    this.#waiting.add(who);
  }

  forget(who: Waiting): void {
    this.#waiting.delete(who);
  }

  /** The connection has taken bytes; who has waited longest comes first. */
  free(bytes: number): void {
    this.#held -= bytes;
    for (const who of this.#waiting) {
      if (this.#held > this.#most / 2) return;
      this.#waiting.delete(who);
      who.roomy();
    }
  }
}
