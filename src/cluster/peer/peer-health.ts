import type { ReplicaHealth } from '../../origin/http/replica.js';

/** Times of `PeerHealth`, in milliseconds. */
export interface HealthTimes {
  /** Between two looks at a peer that is well. */
  readonly look: number;
  /** Before a peer that failed is looked at again: at first, and at most, doubled each time. */
  readonly rest: number;
  readonly maxRest: number;
}

export const HEALTH_TIMES: HealthTimes = { look: 500, rest: 2000, maxRest: 30_000 };

/**
 * How a peer fares, as this worker sees it: from its answers, and from probes off the way of any request. A peer that
 * can't be reached, breaks off or is dead while it owes something is left out at once, until a probe finds it well. One
 * that is busy is not: whoever waits for it has it probed.
 */
export class PeerHealth implements ReplicaHealth {
  readonly #probe: () => Promise<boolean>;
  readonly #times: HealthTimes;
  readonly #changed: (isWell: boolean, why: string) => void;
  #isWell = true;
  /** Rests since the last answer to a request. */
  #rests = 0;
  #timer: NodeJS.Timeout | undefined;
  #probing: Promise<boolean> | undefined;
  #isClosed = false;

  /**
   * @param probe whether the peer answers; never rejects
   * @param changed told when the peer is left out, and when it is not any more
   */
  constructor(probe: () => Promise<boolean>, times: HealthTimes, changed: (isWell: boolean, why: string) => void) {
    this.#probe = probe;
    this.#times = times;
    this.#changed = changed;
    this.#lookIn(times.look);
  }

  get isWell(): boolean {
    return this.#isWell;
  }

  /** Whether the peer lives; those who ask while it is being probed share the probe. */
  isAlive(): Promise<boolean> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  /** Nothing holds against the peer any more: it has joined anew. */
  forgive(): void {
    if (this.#isWell) return;
    this.#rests = 0;
    void this.#look();
  }

  /** It answers, but not as a peer does that can be worked with: it is looked at again after the longest rest. */
  unfit(why: string): void {
    this.#leaveOut(why, this.#times.maxRest);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  state(): 'closed' | 'open' {
    return this.#isWell ? 'closed' : 'open';
  }

  advises(): boolean {
    return this.#isWell;
  }

  enter(): void {}

  left(): void {}

  succeeded(): void {
    if (this.#isWell) this.#rests = 0;
  }

  failed(_now: number, _url: string, connected: boolean): void {
    // A connection that broke may have been one worker's, not the node's: that shows at once.
    const rest = connected && this.#rests === 0 ? 0 : this.#nextRest();
    this.#leaveOut(connected ? 'it broke off' : 'it could not be reached', rest);
  }

  #nextRest(): number {
    const { rest, maxRest } = this.#times;
    return Math.min(maxRest, rest * 2 ** Math.min(20, Math.max(0, this.#rests - 1)));
  }

  #leaveOut(why: string, rest: number): void {
    if (!this.#isWell || this.#isClosed) return;
    this.#isWell = false;
    this.#changed(false, why);
    this.#rests++;
    this.#lookIn(rest);
  }

  #lookIn(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#look(), delay);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const isAlive = await this.isAlive();
    if (this.#isClosed) return;
    if (isAlive && !this.#isWell) {
      this.#isWell = true;
      this.#changed(true, 'it answers');
    }
    if (isAlive) this.#lookIn(this.#times.look);
    else if (this.#isWell) this.#leaveOut('it does not answer', this.#nextRest());
    else {
      this.#rests++;
      this.#lookIn(this.#nextRest());
    }
  }
}
