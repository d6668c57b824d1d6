/** Who waits until more may be sent. */
export interface Waiting {
  /** There is room again. */
  roomy(): void;
}

/** Bytes that Node may hold of all answers of a process before connections have less. */
const COMMON = 64 * 1024 * 1024;
/** What a connection then has. */
const SCARCE = 16 * 1024;
/** Bytes that are held on all connections. */
let heldByAll = 0;

/**
 * Bytes that Node may hold of the answers on one connection, because the connection has not taken them: whoever reads
 * slowly, or asks for many things at once and reads none, costs no more, and thousands of them cost little.
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
    return Math.max(0, this.#now - this.#held);
  }

  get #now(): number {
    return heldByAll < COMMON ? this.#most : Math.min(SCARCE, this.#most);
  }

  hold(bytes: number): void {
    this.#held += bytes;
    heldByAll += bytes;
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
    heldByAll -= bytes;
    for (const who of this.#waiting) {
      if (this.#held > this.#now / 2) return;
      this.#waiting.delete(who);
      who.roomy();
    }
  }
}
