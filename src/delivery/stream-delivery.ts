import type { OpenStream, StreamHandle, StreamSink } from '../catalog/content.js';
import type { DeliveryContext, DeliveryListener } from './delivery.js';
import type { Stalled } from './sweep.js';
import type { Transport } from './transport.js';

/** Bytes given to the socket at once: all that the transport buffers when the socket refuses them. */
const PIECE = 16 * 1024;

/**
 * Sends a body of unknown size in chunked coding, as it comes. Of the chunk at hand at most what the socket did not take is
 * kept; the flow stands still until it is gone.
 */
export class StreamDelivery implements StreamSink, Stalled {
  /** Bytes of the body that the transport has taken. */
  sent = 0;
  stalledSince = 0;
  sweptAt = 0;
  readonly #transport: Transport;
  readonly #listener: DeliveryListener;
  readonly #context: DeliveryContext;
  #handle: StreamHandle | undefined;
  /** What is left of the chunk at hand; defined while the flow stands still. */
  #rest: Uint8Array | undefined;
  #begun = false;
  #complete = false;
  #over = false;
  #listening = false;

  constructor(transport: Transport, listener: DeliveryListener, context: DeliveryContext) {
    this.#transport = transport;
    this.#listener = listener;
    this.#context = context;
  }

  /** Starts the flow. To be called inside cork. */
  start(stream: OpenStream): void {
    const handle = stream.start(this);
    if (this.#over) handle.cancel();
    else this.#handle = handle;
  }

  /** Ends the delivery where it is. The transport is not used any more, the listener hears nothing. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#rest = undefined;
    this.#context.sweep.delete(this);
    if (!this.#complete) this.#handle?.cancel();
  }

  bytes(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    const rest = this.#begun ? this.#write(chunk) : this.#first(chunk);
    if (rest === undefined) return true;
    this.#rest = new Uint8Array(rest);
    this.#stall();
    return false;
  }

  ended(): void {
    if (this.#over) return;
    this.#complete = true;
    if (this.#rest === undefined) this.#end();
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.#complete = true;
    this.close();
    this.#listener.failed(error);
  }

  rearm(): void {
    this.#transport.pause();
    this.#transport.resume();
  }

  retry(): boolean {
    return false;
  }

  cut(): void {
    if (this.#over) return;
    this.#context.stats.stallTimeouts++;
    this.#transport.close();
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#listener.begin('bypass');
  }

  /** The head and the first bytes leave together. */
  #first(chunk: Uint8Array): Uint8Array | undefined {
    let rest: Uint8Array | undefined;
    this.#transport.cork(() => {
      this.#begin();
      rest = this.#write(chunk);
    });
    return rest;
  }

  /** Writes piece by piece until the socket refuses; returns what was not given to it, undefined when it took everything. */
  #write(chunk: Uint8Array): Uint8Array | undefined {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + PIECE);
      const taken = this.#transport.write(piece);
      at += piece.length;
      this.sent += piece.length;
      this.#context.stats.responseBytes += piece.length;
      if (!taken) return chunk.subarray(at);
    }
    return undefined;
  }

  #stall(): void {
    this.stalledSince = performance.now();
    this.#context.sweep.add(this);
    if (this.#listening) return;
    this.#listening = true;
    this.#transport.onWritable(() => {
      this.#writable();
      return true;
    });
  }

  #writable(): void {
    if (this.#over || this.#rest === undefined) return;
    this.#context.sweep.delete(this);
    // What the transport has buffered, at most a piece, goes out at the end of a cork.
    this.#transport.cork(() => {});
    this.#rest = this.#write(this.#rest);
    if (this.#rest !== undefined) this.#stall();
    else if (this.#complete) this.#end();
    else this.#handle?.resume();
  }

  #end(): void {
    this.#over = true;
    this.#transport.cork(() => {
      this.#begin();
      this.#transport.end();
    });
    this.#listener.ended();
  }
}
