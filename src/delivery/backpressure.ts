import type { Stalled, StallSweep } from './sweep.js';
import type { Transport } from './transport.js';

/** Whoever writes when there is room. */
export interface Writer {
  /** The socket can take bytes again. */
  writable(): void;
  /** Writes although the socket has not said that it has room; returns whether it took a byte. */
  attempt(): boolean;
  /** The socket took no byte for the stall timeout, and the connection is about to be cut. */
  stalled(): void;
}

/**
 * What a response does between two of its turns: it waits for room in the socket, or for bytes. The front end's
 * ten-second timer may run meanwhile, also because of bytes that the socket refused at the end of a cork; the sweep
 * keeps the connection from being cut by it.
 */
export class Backpressure implements Stalled {
  stalledSince = 0;
  sweptAt = 0;
  readonly #transport: Transport;
  readonly #sweep: StallSweep;
  readonly #writer: Writer;
  #waiting = false;
  #listening = false;

  constructor(transport: Transport, sweep: StallSweep, writer: Writer) {
    this.#transport = transport;
    this.#sweep = sweep;
    this.#writer = writer;
  }

  /**
   * Begins to wait, or goes on waiting.
   * @param progress whether the socket has taken bytes in the turn that ends
   */
  await(progress: boolean): void {
    if (progress || !this.#waiting) this.stalledSince = performance.now();
    this.#waiting = true;
    this.#sweep.add(this);
    if (this.#listening) return;
    this.#listening = true;
    this.#transport.onWritable(() => {
      this.#writer.writable();
      return true;
    });
  }

  /** Ends the wait. */
  close(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#sweep.delete(this);
  }

  rearm(): void {
    this.#transport.pause();
    this.#transport.resume();
  }

  retry(): boolean {
    return this.#writer.attempt();
  }

  cut(): void {
    this.#writer.stalled();
    this.#transport.close();
  }
}
