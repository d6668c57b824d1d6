/** Milliseconds in which what somebody has spent counts for half. */
const HALF_LIFE = 268;
/**
 * Milliseconds that a request waits longer which its client has sent before it had the answer to the one before: who
 * asks for one thing at a time comes before any number of connections with requests in store.
 */
const IN_STORE = 1000;

/** Who has requests that wait for their turn: a connection. */
export interface Asking {
  /** Its turn has come: it answers one of them. */
  answer(): void;
  /** It begins to wait, or, when it is negative, has had its turn. */
  waits(change: number): void;
}

/** The connections of somebody that wait, in order. */
export class TurnLine {
  readonly account: Account;
  readonly waiting: Asking[] = [];
  readonly #delay: number;
  /** When it is its turn. */
  turn = 0;

  /** @param delay milliseconds that it waits longer than others */
  constructor(account: Account, delay: number) {
    this.account = account;
    this.#delay = delay;
  }

  /**
   * It waits from now on, later by the time that has been spent of late: so long those may go before it who come after
   * it, and no longer.
   */
  begin(now: number): void {
    this.turn = now + this.account.spent(now) + this.#delay;
  }
}

/** What a client has had of the loop's time, or a connection of somebody who is no client, and who waits for more. */
export class Account {
  /** Requests whose clients had all answers before. */
  readonly asked = new TurnLine(this, 0);
  readonly inStore = new TurnLine(this, IN_STORE);
  #spent = 0;
  #period = 0;

  /** The loop's time that it has had of late, in milliseconds. @param now of a clock that only rises */
  spent(now: number): number {
    const period = Math.floor(now / HALF_LIFE);
    this.#spent /= 2 ** (period - this.#period);
    this.#period = period;
    return this.#spent;
  }

  charge(milliseconds: number): void {
    this.#spent += milliseconds;
  }
}
