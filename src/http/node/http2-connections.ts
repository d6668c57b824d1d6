import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { FrontEndHandler } from '../front-end.js';
import { MAX_HEADER_BYTES } from '../header-limit.js';
import { type ClientConnection, isPassedOn } from './client-connection.js';
import { Faults } from './faults.js';
import { Http2Response } from './http2-response.js';
import type { NodeLimits } from './node-limits.js';
import { NodeRequest } from './node-request.js';
import { SendBudget } from './send-budget.js';
import { ENOUGH, SessionWatch } from './session-watch.js';

/** Bytes of all answers of a connection that Node may hold. */
const HELD_MAX = 512 * 1024;
/** Field lines of a request. */
const LINES_MAX = 128;
/**
 * Requests that a client may take back at once, and in a second on average. Players do so with each seek; who does it
 * faster asks only to have work done (CVE-2023-44487).
 */
const RESETS_AT_ONCE = 200;
const RESETS_PER_SECOND = 20;
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
  add(socket: Duplex, connection: ClientConnection, raw: Duplex): void {
    const session = performServerHandshake(socket, {
      maxHeaderListPairs: LINES_MAX,
      maxSessionMemory: 10,
      maxSettings: 32,
      maxOutstandingPings: 10,
      settings: { maxConcurrentStreams: this.#limits.streams, maxHeaderListSize: MAX_HEADER_BYTES, enablePush: false },
    } as never);
    this.#sessions.add(session);
    this.#watch.add(session, raw);
    const budget = new SendBudget(HELD_MAX);
    const faults = new Faults();
    const resets = new Allowance(RESETS_AT_ONCE, RESETS_PER_SECOND);
    let open = 0;
    let isHalfClosed = false;
    // Who has sent its last byte gets what it has asked for, as far as its windows go.
    socket.once('end', () => {
      isHalfClosed = true;
      if (open === 0) session.destroy();
    });
    const take = (stream: ServerHttp2Stream, _fields: object, _flags: number, raw: readonly string[]) => {
      open++;
      this.#watch.asked(session);
      stream.once('close', () => {
        open--;
        if (isHalfClosed && open === 0) session.destroy();
        const isTakenBack = stream.rstCode === constants.NGHTTP2_CANCEL || !stream.writableFinished;
        if (isTakenBack && !resets.take() && !session.destroyed) session.destroy(ENOUGH);
      });
      this.#answer(stream, raw, connection, budget, faults);
    };
    // The types don't know of the raw lines.
    session.on('stream', take as never);
    session.on('error', () => {});
    session.on('frameError', () => {});
    session.setTimeout(this.#limits.idle);
    session.on('timeout', () => {
      if (open === 0) session.destroy();
    });
    session.once('close', () => this.#sessions.delete(session));
  }

  /** Tells clients that what they want next is to be asked for on another connection. */
  drain(): void {
    for (const session of this.#sessions) session.close();
  }

  #answer(
    stream: ServerHttp2Stream,
    raw: readonly string[],
    connection: ClientConnection,
    budget: SendBudget,
    faults: Faults,
  ): void {
    const request = requestOf(raw);
    let isLast = false;
    const response = new Http2Response(stream, connection.address, budget, {
      flushing: change => this.#handler().flushing(change),
      over: () => {
        if (isLast) stream.session?.close();
      },
      isLast: status => {
        isLast = faults.isEnough(status, isPassedOn(connection, request));
        return isLast;
      },
    });
    // Content is dropped.
    stream.resume();
    if (request === undefined) {
      this.#handler().refused(400, connection.address);
      response.writeStatus(Buffer.from('400 Bad Request'));
      response.end(Buffer.from('Bad Request\n'));
    } else this.#handler().request(response, request);
  }
}

/** So many at once, which come back with time. */
class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #at = performance.now();

  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  /** False when nothing is left. */
  take(): boolean {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

/** A request in the form of HTTP/1.1 (RFC 9113 section 8.3.1); undefined for one that lacks what it needs. */
function requestOf(raw: readonly string[]): NodeRequest | undefined {
  const lines: string[] = [];
  let method = '';
  let path = '';
  let authority: string | undefined;
  let hosts = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    if (name === ':method') method = value;
    else if (name === ':path') path = value;
    else if (name === ':authority') authority = value;
    else if (!name.startsWith(':')) {
      if (name === 'host') hosts++;
      if (name !== 'host' || authority === undefined) lines.push(name, value);
    }
  }
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) return undefined;
  if (hosts > 1) return undefined;
  if (authority !== undefined) lines.push('host', authority);
  return new NodeRequest(method, path, lines, 'HTTP/2.0');
}
