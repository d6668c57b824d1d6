import type { Scatter } from '../delivery/scatter.js';
import type { Transport } from '../delivery/transport.js';

/** A request as a front end has read it; valid within its handler. A uWebSockets.js `HttpRequest` is one. */
export interface FrontRequest {
  getCaseSensitiveMethod(): string;
  /** Path as it came; bytes that are no UTF-8 have become U+FFFD. */
  getUrl(): string;
  /** Query without its question mark; '' or undefined when there is none. */
  getQuery(): string | undefined;
  /** The first line of a field by its name in lower case, one character for each octet; '' when it is absent. */
  getHeader(name: string): string;
  /** Version of HTTP as logs name it; left out for HTTP/1, whose version the guard knows. */
  readonly protocol?: string;
  /** All field lines, names in lower case, values read as UTF-8. */
  forEach(take: (name: string, value: string) => void): void;
}

/** Where a request has come from. */
export interface Remote {
  /** Address of the other end of the connection, or of the client that a PROXY header names. */
  getRemoteAddressAsText(): ArrayBuffer;
}

/** The answer to a request, as a front end writes it. A uWebSockets.js `HttpResponse` is one. */
export interface FrontResponse extends Transport, Remote {
  /**
   * Writes status and fields, before anything else.
   * @param head code and reason, then the field lines, each behind a line break; copied at once
   */
  writeStatus(head: Uint8Array): unknown;
  /** Ends an answer that has no body, after its head, which says how long the body would be. */
  endWithoutBody(): unknown;
  /** Sends the whole body, or ends one of unknown size. */
  end(body?: Uint8Array): unknown;
  /** Calls `handler` when the client has left, or the connection was cut, before the answer was complete. */
  onAborted(handler: () => void): unknown;
}

/** What stands between the connections of a front end and what is answered on them. */
export interface Guard {
  /** The connection whose request is being handled; to be called within the handler. 0 when it is not guarded. */
  readonly socket: number;
  /** It speaks TLS. */
  readonly isSecure: boolean;
  /** It is to be closed after the answer, as far as whoever guards it knows. */
  readonly isLast: boolean;
  /** Its client speaks HTTP/1.0 and knows no chunks. */
  readonly isOld: boolean;
  /** A ready answer would be of use for its request; left out where there are none. */
  readonly wantsReady?: boolean;
  /** Sends pieces on it from where they lie; left out, or undefined, where they are to be put together first. */
  readonly scatter?: Scatter | undefined;
  /** The answer on a connection has ended. */
  answered(socket: number): void;
  /**
   * Counts a request that was refused; returns whether the connection is closed after this answer: at once when the
   * request was not understood.
   */
  refuses(socket: number, isUnderstood: boolean): boolean;
}

/** Most bytes of a message of a client, who has nothing to say. */
export const MESSAGE_MAX = 1024;

/** A connection on which messages go in place of answers (RFC 6455). */
export interface FrontSocket {
  /** Sends a binary message; false when it was dropped, which never happens while nothing is buffered. */
  send(message: Uint8Array): boolean;
  /** Whether `end` comes behind all messages, also those that the front end still holds. */
  readonly endsBehindAll: boolean;
  /** Bytes that the front end holds of messages. */
  getBufferedAmount(): number;
  /**
   * A message is sent past the front end, and the connection owes the rest of it: nothing is read, so that none is
   * answered, until it does not.
   */
  owes(isBroken: boolean): void;
  /** Ends with a status of closing. */
  end(code: number): void;
  close(): void;
}

/** The first protocol that a client offers to speak by messages: whatever it is called, there is one to be had. */
export function offeredProtocol(req: FrontRequest): string {
  return req.getHeader('sec-websocket-protocol').split(',')[0]!.trim();
}

/** Who speaks by messages on a connection. */
export interface FrontSocketHandler {
  open(socket: FrontSocket): void;
  /** It is closed, whoever wanted that; the socket must not be used any more. */
  closed(): void;
}

/**
 * Has a connection go on by messages in place of an answer; within the handler of the request or, later, its cork.
 */
export type Upgrade = (handler: FrontSocketHandler) => void;

/** Who a front end tells of its requests and connections. */
export interface FrontEndHandler {
  /** Whether some requests may go on by messages. */
  readonly upgrades: boolean;
  /** @param upgrade of a request that may; it need not be looked at */
  request(res: FrontResponse, req: FrontRequest, upgrade?: Upgrade): void;
  /** Connections have been opened, or closed when it is negative. */
  connections(change: number): void;
  /**
   * Complete answers begin to wait for their clients to take the rest, and requests for their turn, or, when it is
   * negative, do no more.
   */
  waiting(change: number): void;
  /** A request was refused by the front end itself, with this status. */
  refused(status: number, client: string): void;
}

/** A certificate with its key. */
export interface CertificateFiles {
  /** Name of a PEM file. */
  readonly cert: string;
  /** Name of a PEM file. */
  readonly key: string;
}

/** What a port needs to speak TLS. */
export interface TlsFiles extends CertificateFiles {
  /** Authorities of certificates that clients must have. */
  readonly ca?: string | undefined;
  /** Further certificates, chosen by the names that they are for. */
  readonly others?: readonly CertificateFiles[];
}

/** One address at which connections are taken, by whatever engine. */
export interface FrontEnd {
  /**
   * @param port 0 takes a free one, which is not shared
   * @returns the port
   * @throws EdgeError (rejects with) `bad_config`
   */
  listen(host: string, port: number): Promise<number>;
  /** Whether the client of a request has shown a certificate. */
  hasCertificate(res: FrontResponse): boolean;
  /** Takes no connection any more. */
  closeListener(): void;
  /** Cuts every connection. */
  close(): void;
}
