import type { BodyTaker, SocketReader } from './socket-reader.js';
import { failureOf, type TransportFailure } from './transport-failure.js';

/**
 * Takes the events of one exchange, all from the event loop: `sent`, `answered`, `bytes` any number of times, `ended`;
 * or `failed` at any point.
 */
export interface ExchangeSink {
  /** A connection has been made (or found: `reused`) and the request is being written to it. */
  sent(reused: boolean): void;
  /** Final status and fields; names in lower case. */
  answered(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): void;
  /** Bytes of the body; valid until it returns. */
  bytes(chunk: Uint8Array): void;
  /** As `OriginSink.receive`. */
  receive?(socket: number, most: number): Uint8Array | undefined;
  /** The body is complete as its framing goes. */
  ended(): void;
  failed(kind: TransportFailure, cause: Error): void;
}

/** What the connections of the client share with the exchanges that they carry. */
export interface Line {
  socketReader: SocketReader | undefined;
}

/** What the client gives each exchange to break it off with. */
interface ExchangeController {
  abort(reason: Error): void;
}

/**
 * One request and its answer: pauses, drops and drains what comes. Its `on…` methods are those of a handler of undici.
 */
export class OriginExchange implements BodyTaker {
  readonly #sink: ExchangeSink;
  #controller: ExchangeController | undefined;
  #socketReader: SocketReader | undefined;
  #paused = false;
  /** What the parser went on to give after `pause`: at most what was left of one read of the socket. */
  #held: Uint8Array[] = [];
  #flushing = false;
  #headed = false;
  #complete = false;
  #over = false;
  /** The body comes by `body`, past the client's parser. */
  #goesPast = false;
  #drain: { left: number; timer: NodeJS.Timeout } | undefined;
  /** Set by the connection when it takes the exchange. */
  line: Line | undefined;

  constructor(sink: ExchangeSink) {
    this.#sink = sink;
  }

  /** Nothing more is given to the sink until `resume`; the socket's window fills up. */
  pause(): void {
    this.#paused = true;
    if (!this.#complete) this.#socketReader?.shut();
  }

  /** Lets bytes flow again; they come later, not from within this call. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  /** Drops the exchange with its connection. The sink hears nothing more. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    if (!this.#complete) this.#controller?.abort(new Error('cancelled'));
  }

  /** Ends the exchange like `cancel`, but keeps its connection when no more than `bytes` of body come within `ms`. */
  drain(bytes: number, ms: number): void {
    if (this.#over || this.#complete) {
      this.cancel();
      return;
    }
    this.#over = true;
    this.#held = [];
    const timer = setTimeout(() => this.#controller?.abort(new Error('drained')), ms);
    timer.unref();
    this.#drain = { left: bytes, timer };
    queueMicrotask(() => this.#socketReader?.open());
  }

  /** True when the sink hears nothing more. */
  get over(): boolean {
    return this.#over;
  }

  #flush(): void {
    this.#flushing = false;
    while (!this.#paused && !this.#over && this.#held.length > 0) this.#sink.bytes(this.#held.shift()!);
    if (this.#paused || this.#over) return;
    if (this.#complete) {
      this.#over = true;
      this.#sink.ended();
    } else this.#socketReader?.open();
  }

  /** Called by undici, as are the methods below. */
  onRequestStart(controller: ExchangeController): void {
    this.#controller = controller;
    this.#socketReader = this.line?.socketReader;
    const reused = this.#socketReader !== undefined && this.#socketReader.uses++ > 0;
    this.#socketReader?.awaitHead(this);
    if (this.#over) controller.abort(new Error('cancelled'));
    else this.#sink.sent(reused);
  }

  onResponseStart(
    _controller: ExchangeController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#socketReader?.headed();
    const framed = this.#socketReader?.framed;
    this.#goesPast = framed !== undefined;
    if (this.#over) return;
    this.#headed = true;
    if (framed !== undefined) fields['content-length'] = framed.bodySizeText;
    // Fields may follow a chunked body, too.
    if (this.#socketReader) this.#socketReader.lends = fields['transfer-encoding'] === undefined;
    this.#sink.answered(status, fields);
  }

  onResponseData(_controller: ExchangeController, chunk: Uint8Array): void {
    if (!this.#goesPast) this.body(chunk);
  }

  body(chunk: Uint8Array): void {
    if (this.#drain) {
      this.#drain.left -= chunk.length;
      if (this.#drain.left < 0) this.#controller!.abort(new Error('drained'));
    } else if (this.#over) return;
    else if (this.#paused || this.#held.length > 0) this.#held.push(new Uint8Array(chunk));
    else this.#sink.bytes(chunk);
  }

  receive(socket: number, most: number): Uint8Array | undefined {
    if (this.#over || this.#paused || this.#held.length > 0) return undefined;
    return this.#sink.receive?.(socket, most);
  }

  onResponseEnd(controller: ExchangeController): void {
    if (this.#socketReader?.broken) {
      this.onResponseError(controller, this.#socketReader.broken);
      return;
    }
    this.#complete = true;
    clearTimeout(this.#drain?.timer);
    // The connection goes on to other exchanges. The parser is running, so what waits may only be read afterwards.
    const socketReader = this.#socketReader;
    if (socketReader) socketReader.lends = false;
    queueMicrotask(() => socketReader?.open());
    if (this.#over || this.#paused || this.#held.length > 0) return;
    this.#over = true;
    this.#sink.ended();
  }

  onResponseError(_controller: ExchangeController | undefined, error: Error): void {
    clearTimeout(this.#drain?.timer);
    if (this.#over || this.#complete) return;
    this.#over = true;
    this.#held = [];
    this.#sink.failed(failureOf(error, this.#controller !== undefined, this.#headed), error);
  }
}
