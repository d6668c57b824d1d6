import { TurnShare } from '../../base/turn-share.js';
import type { Account, Asking, TurnLine } from './account.js';

/** Milliseconds of a turn of the loop for requests, as at the gate (native/gate_turn.cc). */
const SHARE = 4;

/**
 * Whose turn it is, by the rules of the gate: requests are answered for a few milliseconds of each turn of the event
 * loop, those of clients first who have had least of the loop's time of late. Who comes while nobody waits, and there
 * is time, is answered at once.
 */
export class RequestTurns {
  readonly #clock: () => number;
  readonly #share: TurnShare;
  /** Those in which somebody waits; the one whose turn is next is the last. */
  readonly #lines: TurnLine[] = [];
  #isAnswering = false;

  /** @param clock milliseconds; it only rises */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#share = new TurnShare(SHARE, clock, () => this.#step());
  }

  /**
   * Somebody has a request, and no other one that waits here.
   * @param isInStore it came before the answer to the one before had ended
   */
  take(account: Account, who: Asking, isInStore: boolean): void {
    if (this.#lines.length === 0 && !this.#isAnswering && !this.#share.isOver) {
      this.#answer(account, who);
      return;
    }
    const line = isInStore ? account.inStore : account.asked;
    line.waiting.push(who);
    if (line.waiting.length === 1) this.#add(line);
    who.waits(1);
  }

  #step(): void {
    while (this.#lines.length > 0 && !this.#share.isOver) {
      const line = this.#lines.pop()!;
      const who = line.waiting.shift()!;
      if (line.waiting.length > 0) this.#add(line);
      try {
        this.#answer(line.account, who);
      } finally {
        who.waits(-1);
      }
    }
  }

  #answer(account: Account, who: Asking): void {
    const began = this.#clock();
    this.#isAnswering = true;
    try {
      who.answer();
    } finally {
      this.#isAnswering = false;
      account.charge(this.#clock() - began);
    }
  }

  #add(line: TurnLine): void {
    line.begin(this.#clock());
    let from = 0;
    for (let to = this.#lines.length; from < to; ) {
      const middle = (from + to) >> 1;
      if (this.#lines[middle]!.turn > line.turn) from = middle + 1;
      else to = middle;
    }
    this.#lines.splice(from, 0, line);
  }
}

/** Those of this process's loop. */
export const requestTurns = new RequestTurns();
