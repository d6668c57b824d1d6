import { EdgeError } from '../../base/errors.js';

/** Milliseconds from one look at the ring to the next, while somebody waits. */
const LOOK = 20;

interface Wait {
  readonly isOver: () => boolean;
  readonly deadline: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  players: number;
}

/** Requests that wait for what is about to come: those for the same thing wait as one. */
export class HlsWaits {
  readonly #waits = new Map<string, Wait>();
  readonly #most: number;
  #timer: NodeJS.Timeout | undefined;
  #players = 0;
  #hasEnded = false;

  /** @param most requests that may wait at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** Requests that wait. */
  get players(): number {
    return this.#players;
  }

  /**
   * Resolves when `isOver` says so, or after some milliseconds.
   * @param key of what is waited for; requests with the same key share the first one's `isOver`
   * @throws EdgeError `overloaded` when too many wait; rejects with what `isOver` throws
   */
  until(key: string, isOver: () => boolean, milliseconds: number): Promise<void> {
    if (this.#hasEnded) return Promise.resolve();
    if (this.#players >= this.#most) {
      throw new EdgeError('overloaded', `more than ${this.#most} requests wait for live streams: ask again`, {
        retryAfter: 1,
      });
    }
    let wait = this.#waits.get(key);
    if (wait === undefined) {
      const { promise, resolve, reject } = withResolvers();
      wait = { isOver, deadline: performance.now() + milliseconds, promise, resolve, reject, players: 0 };
      this.#waits.set(key, wait);
      this.#timer ??= setInterval(() => this.#look(), LOOK);
    }
    wait.players++;
    this.#players++;
    return wait.promise;
  }

  /** Ends all waiting, from now on too: requests are answered as they can be. */
  end(): void {
    this.#hasEnded = true;
    for (const [key, wait] of this.#waits) this.#settle(key, wait, wait.resolve);
  }

  #look(): void {
    const now = performance.now();
    for (const [key, wait] of this.#waits) {
      try {
        if (wait.isOver() || now >= wait.deadline) this.#settle(key, wait, wait.resolve);
      } catch (error) {
        this.#settle(key, wait, () => wait.reject(error));
      }
    }
  }

  #settle(key: string, wait: Wait, settle: () => void): void {
    this.#waits.delete(key);
    this.#players -= wait.players;
    if (this.#waits.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    settle();
  }
}

function withResolvers() {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
}
