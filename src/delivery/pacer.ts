/** Milliseconds of a turn of the pacer, and how many there are in its round. */
const TURN = 25;
const TURNS = 64;

/** Whoever waits for its pace. */
export interface Paced {
  /** It may go on. */
  paced(): void;
}

/**
 * Wakes those who wait for their pace: one timer for all of them, a list for each of its turns. Costs nothing while
 * nobody waits.
 */
export class Pacer {
  #turns: (Paced | undefined)[][] = Array.from({ length: TURNS }, () => []);
  #at = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #begun = 0;

  /** Those who wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Calls `paced` once, after so many milliseconds or a little later; no later than a round of the pacer, though.
   * @returns takes it back
   */
  wait(paced: Paced, milliseconds: number): () => void {
    if (this.#timer === undefined) {
      this.#begun = performance.now();
      this.#at = 0;
      this.#timer = setInterval(() => this.#turn(), TURN);
    }
    const turns = Math.min(TURNS - 1, Math.max(1, Math.ceil(milliseconds / TURN)));
    const list = this.#turns[(this.#at + turns) % TURNS]!;
    const place = list.push(paced) - 1;
    this.#waiting++;
    return () => {
      if (list[place] !== paced) return;
      list[place] = undefined;
      this.#waiting--;
    };
  }

  /** All turns that are due: a busy loop misses some of the timer's. */
  #turn(): void {
    const due = Math.floor((performance.now() - this.#begun) / TURN);
    // What is put off meanwhile is for a later round.
    for (let turns = Math.min(TURNS, due - this.#at); turns > 0; turns--) {
      this.#at++;
      const list = this.#turns[this.#at % TURNS]!;
      this.#turns[this.#at % TURNS] = [];
      for (let i = 0; i < list.length; i++) {
        const paced = list[i];
        if (paced === undefined) continue;
        list[i] = undefined;
        this.#waiting--;
        paced.paced();
      }
    }
    this.#at = Math.max(this.#at, due);
    if (this.#waiting > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
