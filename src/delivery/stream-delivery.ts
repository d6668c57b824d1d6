import type { OpenStream, StreamHandle, StreamSink } from '../catalog/content.js';
import { Backpressure, type Writer } from './backpressure.js';
import type { DeliveryContext, DeliveryListener } from './delivery.js';
import type { Transport } from './transport.js';

/**
 * Most bytes given to the socket at once, each piece in a cork of its own: with the frame of its chunk it fits into the
 * 16 KiB that the transport buffers of a cork. Of a larger piece the transport would lose what does not fit, when the
 * socket refuses it.
 */
const PIECE = 16 * 1024 - 64;
/**
 * Bytes of a chunk's first piece. It is small, because it only asks whether the socket has taken what the transport
 * buffered before.
 */
const FIRST_PIECE = 256;

/**
 * Sends a body of unknown size in chunked coding, as it comes. At most the chunk at hand is kept; the flow stands still
 * until the socket has taken it.
 */
export class StreamDelivery implements StreamSink, Writer {
  /** Bytes of the body that the transport has taken. */
  sent = 0;
  readonly #transport: Transport;
  readonly #listener: DeliveryListener;
  readonly #context: DeliveryContext;
  readonly #backpressure: Backpressure;
  #handle: StreamHandle | undefined;
  /** What is left of the chunk at hand; defined while the flow stands still. */
  #rest: Uint8Array | undefined;
  #begun = false;
  /** The turn of the request's handler is not over yet, with its cork around everything that is written. */
  #starting = true;
  #complete = false;
  #over = false;

  constructor(transport: Transport, listener: DeliveryListener, context: DeliveryContext) {
    this.#transport = transport;
    this.#listener = listener;
    this.#context = context;
    this.#backpressure = new Backpressure(transport, context.sweep, this);
  }

  /** Starts the flow. To be called inside cork. */
  start(stream: Pick<OpenStream, 'start'>): void {
    const handle = stream.start(this);
    this.#handle = handle;
    setImmediate(() => {
      this.#starting = false;
    });
    if (this.#over && !this.#complete) handle.cancel();
  }

  /** Ends the delivery where it is. The transport is not used any more, the listener hears nothing. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#rest = undefined;
    this.#backpressure.close();
    if (!this.#complete) this.#handle?.cancel();
  }

  bytes(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    // The handler's cork is still open, and within it a piece would not be in a cork of its own.
    if (this.#starting) setImmediate(() => this.writable());
    const rest = this.#starting ? chunk : this.#write(chunk);
    if (rest !== undefined) this.#rest = new Uint8Array(rest);
    this.#backpressure.await(true);
    return rest === undefined;
  }

  ended(): void {
    if (this.#over) return;
    this.#complete = true;
    if (this.#rest === undefined) this.#transport.cork(() => this.#end());
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.#complete = true;
    this.close();
    this.#listener.failed(error);
  }

  writable(): void {
    if (this.#over) return;
    // What the transport has buffered, at most a piece, goes out at the end of a cork.
    this.#transport.cork(() => {});
    if (this.#rest === undefined) return;
    this.#rest = this.#write(this.#rest);
    this.#backpressure.await(true);
    if (this.#rest !== undefined) return;
    if (this.#complete) this.#end();
    else this.#handle?.resume();
  }

  attempt(): boolean {
    return false;
  }

  stalled(): void {
    this.#context.stats.stallTimeouts++;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#listener.begin('bypass');
  }

  /**
   * Writes piece by piece until the socket refuses; returns what was not given to it, undefined when it took
   * everything.
   */
  #write(chunk: Uint8Array): Uint8Array | undefined {
    for (let at = 0, size = FIRST_PIECE; at < chunk.length; size = PIECE) {
      const piece = chunk.subarray(at, at + size);
      let taken = true;
      this.#transport.cork(() => {
        this.#begin();
        taken = this.#transport.write(piece);
      });
      at += piece.length;
      this.sent += piece.length;
      this.#context.stats.responseBytes += piece.length;
      if (!taken) return chunk.subarray(at);
    }
    return undefined;
  }

  #end(): void {
    this.#begin();
    this.close();
    this.#transport.end();
    this.#listener.ended();
  }
}
