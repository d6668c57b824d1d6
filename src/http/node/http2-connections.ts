import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { FrontEndHandler } from '../front-end.js';
import { MAX_HEADER_BYTES } from '../header-limit.js';
import type { ClientConnection } from './client-connection.js';
import { Http2Connection } from './http2-connection.js';
import type { NodeLimits } from './node-limits.js';
import { SessionWatch } from './session-watch.js';

/** Field lines of a request. */
const LINES_MAX = 128;
/** A client that has been silent for this part of the time that it may be idle is asked whether it is there. */
const SILENCE_SHARE = 6;

/** Connections that speak HTTP/2 (RFC 9113). */
export class Http2Connections {
  readonly #handler: () => FrontEndHandler;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #limits: NodeLimits;
  readonly #watch: SessionWatch;

  constructor(handler: () => FrontEndHandler, limits: NodeLimits) {
    this.#handler = handler;
    this.#limits = limits;
    this.#watch = new SessionWatch(limits.idle / SILENCE_SHARE);
  }

  /**
   * Takes a connection.
   * @param raw what is below the encryption
   */
  add(socket: Duplex, client: ClientConnection, raw: Duplex): void {
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: LINES_MAX,
      maxSessionMemory: 10,
      maxSettings: 32,
      maxOutstandingPings: 10,
      settings: { maxConcurrentStreams: this.#limits.streams, maxHeaderListSize: MAX_HEADER_BYTES, enablePush: false },
    } as never);
    const connection = new Http2Connection(this.#handler, session, client);
    this.#sessions.add(session);
    this.#watch.add(session, raw);
    socket.once('end', () => connection.halfClose());
    const ask = (stream: ServerHttp2Stream, _fields: object, _flags: number, lines: readonly string[]) => {
      this.#watch.asked(session);
      connection.ask(stream, lines);
    };
    // The types don't know of the raw lines.
    session.on('stream', ask as never);
    session.on('error', () => {});
    session.on('frameError', () => {});
    session.setTimeout(this.#limits.idle);
    session.on('timeout', () => {
      if (!connection.isBusy) session.destroy();
    });
    session.once('close', () => this.#sessions.delete(session));
  }

  /** Tells clients that what they want next is to be asked for on another connection. */
  drain(): void {
    for (const session of this.#sessions) session.close();
  }
}
