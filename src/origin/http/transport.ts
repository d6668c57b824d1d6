import type { ExchangeSink } from './origin-exchange.js';

/** One request and its answer. */
export interface TransportExchange {
  /** Nothing more is given to the sink until `resume`; the socket's window fills up. */
  pause(): void;
  /** Lets bytes flow again; they come later, not from within this call. */
  resume(): void;
  /** Drops the exchange with its connection. The sink hears nothing more. */
  cancel(): void;
  /** Ends the exchange like `cancel`, but keeps its connection when no more than `bytes` of body come within `ms`. */
  drain(bytes: number, ms: number): void;
}

/** What sends requests to servers. */
export interface HttpTransport {
  /**
   * Sends a GET. Of the sink only `sent` may be called from within.
   * @param origin scheme, host and port, such as `https://host:8443`
   * @param target path and query
   * @param fields of the request; names in lower case
   * @param servername that the server's certificate must bear, where it isn't the origin's host
   */
  send(
    origin: string,
    target: string,
    fields: Record<string, string>,
    sink: ExchangeSink,
    servername?: string,
  ): TransportExchange;
  /** Breaks off every exchange (`closed`) and closes every connection. */
  close(): Promise<void>;
}
