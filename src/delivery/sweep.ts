/** A response whose socket takes no bytes at present. */
export interface Stalled {
  /** When the socket last took a byte, in milliseconds of the monotonic clock. */
  readonly stalledSince: number;
  /** When the sweep last looked at it, in milliseconds of the monotonic clock; set by the sweep alone. */
  sweptAt: number;
  /** Arms the socket's timer afresh, without touching any block. */
  rearm(): void;
  /** Tries to write once more. True when the socket took at least a byte. */
  retry(): boolean;
  /** Cuts the connection. */
  cut(): void;
}

/**
 * Milliseconds from one look at a stalled response to the next. uWebSockets.js closes a socket between 8 and 12 seconds
 * after a refused write.
 */
const REARM_AFTER = 4000;
/** Milliseconds between two rounds. */
const ROUND = 500;
/**
 * A round looks at no more than one in so many of the responses, so that thousands that stalled together don't hold up
 * the loop.
 */
const ROUNDS_PER_TURN = 4;

/**
 * Keeps stalled responses alive: paused and slow players are not cut by the socket's ten-second timer, but after
 * `timeout` without a byte. Costs nothing while no response is stalled.
 */
export class StallSweep {
  /** In the order of `sweptAt`. */
  readonly #stalled = new Set<Stalled>();
  readonly #timeout: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param timeout milliseconds without a byte after which a response is cut */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Responses that are stalled. */
  get size(): number {
    return this.#stalled.size;
  }

  /** Begins to look after a response, right after a refused write. */
  add(response: Stalled): void {
    this.#stalled.delete(response);
    response.sweptAt = performance.now();
    this.#stalled.add(response);
    this.#timer ??= setInterval(() => this.round(performance.now()), ROUND);
  }

  /** Stops looking after a response: its socket took bytes, or it is over. */
  delete(response: Stalled): void {
    if (this.#stalled.delete(response) && this.#stalled.size === 0) this.#stop();
  }

  /**
   * Looks at the responses whose turn it is.
   * @param now milliseconds of the monotonic clock
   */
  round(now: number): void {
    let left = Math.ceil(this.#stalled.size / ROUNDS_PER_TURN);
    for (const response of this.#stalled) {
      if (left-- === 0 || now - response.sweptAt < REARM_AFTER) break;
      this.#stalled.delete(response);
      response.sweptAt = now;
      this.#stalled.add(response);
      // A very slow player may have taken a little without the socket asking for more: one more write tells.
      if (now - response.stalledSince >= this.#timeout && !response.retry()) response.cut();
      else if (this.#stalled.has(response)) response.rearm();
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
