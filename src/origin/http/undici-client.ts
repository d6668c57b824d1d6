import { type buildConnector, Client, type Dispatcher, errors, Pool } from 'undici';
import { READING, SocketReader } from './socket-reader.js';

/** TLS settings of connections to an origin. PEM texts, not file names. */
export interface TlsOptions {
  /** Certificates of the authorities that are trusted in place of Node's own list. */
  readonly ca?: string | undefined;
  /** Client certificate and its private key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined;
}

/** Options of `HttpClient`. */
export interface HttpClientOptions {
  /** Most connections to one host and port. */
  readonly connections: number;
  /** Milliseconds for TCP and TLS handshake. */
  readonly connectTimeout: number;
  /** Milliseconds that an unused connection is kept; less when the server says so. */
  readonly keepAlive: number;
  /** Most bytes of an answer's head. */
  readonly maxHeaderSize: number;
  readonly tls: TlsOptions;
}

/**
 * How an exchange broke: no connection (`connect`, or `connect_timeout`), no trust (`tls`), broken off (`reset`), not
 * HTTP (`protocol`), a request that can't be sent (`invalid`), or our own `close` (`closed`).
 */
export type TransportFailure = 'connect' | 'connect_timeout' | 'tls' | 'reset' | 'protocol' | 'invalid' | 'closed';

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
  /** The body is complete as its framing goes. */
  ended(): void;
  failed(kind: TransportFailure, cause: Error): void;
}

/** What an undici client shares with the exchanges that it carries. */
interface Line {
  socketReader: SocketReader | undefined;
}

type ExchangeOptions = Dispatcher.DispatchOptions & {
  readonly exchange: OriginExchange;
  readonly servername: string | undefined;
};

/** One connection of a pool, which tells each exchange what reads its socket. */
class Connection extends Client {
  readonly #line: Line;

  constructor(origin: URL, options: Client.Options) {
    const line: Line = { socketReader: undefined };
    const connect = options.connect as buildConnector.connector;
    super(origin, {
      ...options,
      connect: (where, callback) =>
        connect(where, (...[error, socket]) => {
          if (error) return callback(error, null);
          line.socketReader = new SocketReader(socket);
          callback(null, socket);
        }),
    });
    this.#line = line;
  }

  override dispatch(options: ExchangeOptions, handler: Dispatcher.DispatchHandler): boolean {
    options.exchange.line = this.#line;
    return super.dispatch(options, handler);
  }
}

function closedError(): Error {
  return Object.assign(new Error('the client is closed'), { code: 'UND_ERR_CLOSED' });
}

const TLS_ERROR = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/;

function failureOf(error: Error & { code?: string }, connected: boolean, headed: boolean): TransportFailure {
  const code = error.code ?? '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'connect_timeout';
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'closed';
  if (code === 'UND_ERR_INVALID_ARG') return 'invalid';
  if (TLS_ERROR.test(code)) return 'tls';
  if (!connected) return 'connect';
  // A body that stops short or whose chunks make no sense is the connection's fault: what came before is sound.
  const malformed = error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError;
  return !headed && (malformed || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') ? 'protocol' : 'reset';
}

/** One request and its answer. */
export class OriginExchange implements Dispatcher.DispatchHandler {
  readonly #sink: ExchangeSink;
  #controller: Dispatcher.DispatchController | undefined;
  #socketReader: SocketReader | undefined;
  #paused = false;
  /** What the parser went on to give after `pause`: at most what was left of one read of the socket. */
  #held: Uint8Array[] = [];
  #flushing = false;
  #headed = false;
  #complete = false;
  #over = false;
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
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#socketReader = this.line?.socketReader;
    const reused = this.#socketReader !== undefined && this.#socketReader.uses++ > 0;
    if (this.#over) controller.abort(new Error('cancelled'));
    else this.#sink.sent(reused);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#over) return;
    this.#headed = true;
    // Fields may follow a chunked body, too.
    if (this.#socketReader) this.#socketReader.lends = fields['transfer-encoding'] === undefined;
    this.#sink.answered(status, fields);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#drain) {
      this.#drain.left -= chunk.length;
      if (this.#drain.left < 0) controller.abort(new Error('drained'));
    } else if (this.#over) return;
    else if (this.#paused || this.#held.length > 0) this.#held.push(new Uint8Array(chunk));
    else this.#sink.bytes(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
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

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    clearTimeout(this.#drain?.timer);
    if (this.#over || this.#complete) return;
    this.#over = true;
    this.#held = [];
    this.#sink.failed(failureOf(error, this.#controller !== undefined, this.#headed), error);
  }
}

/** Most hosts to which connections are kept: redirects may lead to many. */
const POOLS_MAX = 64;

/**
 * An HTTP/1.1 client that hands on bytes as they come and gives each exchange a cheap `cancel`. The only user of
 * undici.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #pools = new Map<string, Pool>();
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /**
   * Sends a GET. The sink is not called from within.
   * @param origin scheme, host and port, such as `https://host:8443`
   * @param target path and query
   * @param fields of the request; names in lower case
   * @param servername that the server's certificate must bear, sent as SNI; default the origin's host, or a `host`
   *   among the fields
   */
  send(
    origin: string,
    target: string,
    fields: Record<string, string>,
    sink: ExchangeSink,
    servername?: string,
  ): OriginExchange {
    const exchange = new OriginExchange(sink);
    const options: ExchangeOptions = { path: target, method: 'GET', headers: fields, exchange, servername };
    // undici reports a request that it finds malformed, and a connection that it finds ready, from within its call.
    queueMicrotask(() => {
      if (this.#closed) exchange.onResponseError(undefined, closedError());
      else if (!exchange.over) this.#pool(origin).dispatch(options, exchange);
    });
    return exchange;
  }

  /** Breaks off every exchange (`closed`) and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map(pool => pool.destroy()));
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool) this.#pools.delete(origin);
    else {
      const { connections, connectTimeout, keepAlive, maxHeaderSize, tls } = this.#options;
      pool = new Pool(origin, {
        connections,
        pipelining: 1,
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: keepAlive,
        maxHeaderSize,
        connect: {
          timeout: connectTimeout,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
          rejectUnauthorized: tls.insecure !== true,
          ...{ onread: READING },
        },
        factory: (where, options) => new Connection(where, options as Client.Options),
      });
    }
    // Moved to the end: the first is the one that has not been used for longest.
    this.#pools.set(origin, pool);
    if (this.#pools.size > POOLS_MAX) {
      const [unused] = this.#pools.keys();
      void this.#pools.get(unused!)!.close();
      this.#pools.delete(unused!);
    }
    return pool;
  }
}
