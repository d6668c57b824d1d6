import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FrontEndHandler } from '../front-end.js';
import { MAX_HEADER_BYTES } from '../header-limit.js';
import type { ClientConnection } from './client-connection.js';
import { Http1Connection } from './http1-connection.js';
import type { NodeGuard } from './node-guard.js';
import type { NodeLimits } from './node-limits.js';

/** Milliseconds between two looks for heads that don't come to an end, at most. */
const CHECK = 5000;

/** Connections that speak HTTP/1.1 or 1.0. */
export class Http1Connections {
  readonly #handler: () => FrontEndHandler;
  readonly #guard: NodeGuard;
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, Http1Connection>();

  constructor(handler: () => FrontEndHandler, guard: NodeGuard, { head, idle }: NodeLimits) {
    this.#handler = handler;
    this.#guard = guard;
    const ask = (req: IncomingMessage, res: ServerResponse) => this.#connections.get(req.socket)?.ask(req, res);
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      keepAliveTimeout: idle,
      headersTimeout: head,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(CHECK, head / 4),
    });
    this.#server.on('request', ask);
    this.#server.on('checkContinue', ask);
    this.#server.on('checkExpectation', ask);
    this.#server.on('connect', (_req, socket) => this.#refuse(socket, 405));
    this.#server.on('clientError', (error: ParserError, socket) => this.#refuse(socket, statusOf(error)));
    // Nobody connects to this server itself; but only then does it look for heads that don't come to an end.
    this.#server.emit('listening');
  }

  /** Takes a connection. */
  add(socket: Duplex, client: ClientConnection): void {
    this.#connections.set(socket, new Http1Connection(this.#handler, this.#guard, socket, client));
    this.#server.emit('connection', socket);
  }

  /** Requests may go on by messages. */
  takeUpgrades(): void {
    this.#server.on('upgrade', (req, socket, early) => this.#connections.get(socket)?.askLast(req, early));
  }

  close(): void {
    this.#server.close();
  }

  #refuse(socket: Duplex, status: number | undefined): void {
    if (status === undefined) socket.destroy();
    else this.#connections.get(socket)?.refuse(status);
  }
}

interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
}

/** What a request begins with, whatever its method is. */
const REQUEST = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \//;

/** The status for what Node's parser has refused; undefined for a connection that is gone. */
function statusOf({ code = '', rawPacket }: ParserError): number | undefined {
  // Node knows methods by a list.
  if (code === 'HPE_INVALID_METHOD')
    return rawPacket !== undefined && REQUEST.test(rawPacket.toString('latin1', 0, 64)) ? 405 : 400;
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'HPE_INVALID_VERSION' || code === 'HPE_PAUSED_H2_UPGRADE') return 505;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE' ? 400 : undefined;
}
