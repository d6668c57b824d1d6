import { type buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { type ExchangeSink, type Line, OriginExchange } from './origin-exchange.js';
import { READING, SocketReader } from './socket-reader.js';
import type { HttpTransport } from './transport.js';

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

/** Most hosts to which connections are kept: redirects may lead to many. */
const POOLS_MAX = 64;

/**
 * An HTTP/1.1 client that hands on bytes as they come and gives each exchange a cheap `cancel`. The only user of
 * undici.
 */
export class HttpClient implements HttpTransport {
  readonly #options: HttpClientOptions;
  readonly #pools = new Map<string, Pool>();
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /**
   * As `HttpTransport`; the sink is not called from within at all.
   * @param servername sent as SNI, too; default the origin's host, or a `host` among the fields
   */
  send(
    origin: string,
    target: string,
    fields: Record<string, string>,
    sink: ExchangeSink,
    servername?: string,
  ): OriginExchange {
    const exchange = new OriginExchange(sink);
    this.#dispatch(origin, { path: target, method: 'GET', headers: fields, exchange, servername });
    return exchange;
  }

  /**
   * Sends a POST with a body, whose length is among the fields. The sink is not called from within.
   * @param origin scheme, host and port
   * @param target path and query
   * @param fields of the request; names in lower case
   */
  post(
    origin: string,
    target: string,
    fields: Record<string, string>,
    body: Uint8Array,
    sink: ExchangeSink,
  ): OriginExchange {
    const exchange = new OriginExchange(sink);
    this.#dispatch(origin, { path: target, method: 'POST', headers: fields, body, exchange, servername: undefined });
    return exchange;
  }

  /** Breaks off every exchange (`closed`) and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map(pool => pool.destroy()));
  }

  #dispatch(origin: string, options: ExchangeOptions): void {
    const { exchange } = options;
    // undici reports a request that it finds malformed, and a connection that it finds ready, from within its call.
    queueMicrotask(() => {
      if (this.#closed) exchange.onResponseError(undefined, closedError());
      else if (!exchange.over) this.#pool(origin).dispatch(options, exchange);
    });
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
