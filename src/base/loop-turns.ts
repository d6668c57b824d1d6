import { TurnShare } from './turn-share.js';

/**
 * Milliseconds of a turn of the loop for what goes on by itself: with the turns of the gate (native/gate_turn.cc) a
 * turn is short enough for two of them, which a new player needs, to be over before anybody notices.
 */
const SHARE = 4;

/** Those that have gone on are forgotten when there are so many of them, and they are half of all. */
const MOST_GONE = 256;

/** Work that is due, and may have to wait for another turn of the loop. */
export interface Due {
  /** It goes on. Called once for each time that it was `due`. */
  goOn(): void;
}

/**
 * Bounds what goes on in a turn of the event loop without a request that just came: what origins bring, and those who
 * have waited for it. Without a bound all who wait for one thing would go on in one turn, and everybody else would
 * wait for that. What is over the bound goes on in later turns, in order.
 */
export class LoopTurns {
  /** Number of the turn. */
  turn = 0;
  readonly #share: TurnShare;
  #waiting: Due[] = [];
  /** Index of the first that waits. */
  #next = 0;
  /** Those who wait are going on, one by one. */
  #stepping = false;

  /** @param clock milliseconds; it only rises */
  constructor(clock: () => number = () => performance.now()) {
    this.#share = new TurnShare(SHARE, clock, () => {
      this.turn++;
      if (!this.#stepping) this.#step();
    });
  }

  /** Whether the share of this turn is used up; it begins when somebody asks. */
  get isOver(): boolean {
    return this.#share.isOver;
  }

  /** Has `due` go on: at once, unless others wait or the share is used up. */
  due(due: Due): void {
    if (this.#next < this.#waiting.length || this.isOver) this.#waiting.push(due);
    else due.goOn();
  }

  /**
   * Resolves when whoever waits for it may go on: one after the other, each with all that follows from it in the same
   * turn.
   */
  passed(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push({ goOn: resolve });
      if (!this.#stepping && !this.isOver) this.#step();
    });
  }

  #step(): void {
    const due = this.#waiting[this.#next];
    this.#stepping = due !== undefined && !this.isOver;
    if (due === undefined) {
      this.#waiting = [];
      this.#next = 0;
    } else if (this.#stepping) {
      this.#next++;
      if (this.#next >= MOST_GONE && this.#next * 2 >= this.#waiting.length) {
        this.#waiting.splice(0, this.#next);
        this.#next = 0;
      }
      try {
        due.goOn();
      } finally {
        // Behind all promises that are kept by it.
        queueMicrotask(() => process.nextTick(() => this.#step()));
      }
    }
  }
}

/** Those of this process's loop. */
export const loopTurns = new LoopTurns();
