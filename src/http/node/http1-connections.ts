import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fieldLine } from '../../base/field-line.js';
import { hasToken } from '../framing.js';
import { type FrontEndHandler, offeredProtocol, type Upgrade } from '../front-end.js';
import { MAX_HEADER_BYTES } from '../header-limit.js';
import { type ClientConnection, isPassedOn } from './client-connection.js';
import { Faults } from './faults.js';
import { Http1Response } from './http1-response.js';
import type { NodeGuard } from './node-guard.js';
import type { NodeLimits } from './node-limits.js';
import { NodeRequest } from './node-request.js';
import { NodeSocket } from './node-socket.js';
import { REASONS, refuse } from './refusal.js';
import { SendBudget } from './send-budget.js';

/** Bytes of an answer that Node may hold. */
const HELD_MAX = 128 * 1024;
/** Requests that wait for the answers before them; from so many on nothing more is read. */
const WAITING_PAUSE = 16;
/** Most of them, when they have come all at once; the connection is closed after the last. */
const WAITING_MAX = 512;
/** Field lines of a request, as at the gate. Of more than 2,000 Node would drop the last. */
const LINES_MAX = 96;
/** Milliseconds between two looks for heads that don't come to an end, at most. */
const CHECK = 5000;
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/** A key of WebSocket: 16 bytes in base64 (RFC 6455 section 4.2.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** A request that wants to go on by messages. */
interface Wish {
  readonly key: string;
  /** Bytes that have come behind it. */
  readonly early: Buffer;
}

/** What may be answered on a connection at a time. */
interface Turn {
  readonly connection: ClientConnection;
  readonly budget: SendBudget;
  readonly faults: Faults;
  readonly waiting: (() => void)[];
  isBusy: boolean;
  isLast: boolean;
  /** What comes is no request: nothing more is read, and no answer follows that to it. */
  isRefused: boolean;
}

/**
 * Connections that speak HTTP/1.1 or 1.0. Requests that are pipelined are answered in order, one at a time, so that who
 * reads no answer has no more of them made.
 */
export class Http1Connections {
  readonly #handler: () => FrontEndHandler;
  readonly #guard: NodeGuard;
  readonly #server: Server;
  readonly #turns = new WeakMap<Duplex, Turn>();

  constructor(handler: () => FrontEndHandler, guard: NodeGuard, { head, idle }: NodeLimits) {
    this.#handler = handler;
    this.#guard = guard;
    const answer = (req: IncomingMessage, res: ServerResponse) => this.#take(req, res);
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      keepAliveTimeout: idle,
      headersTimeout: head,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(CHECK, head / 4),
    });
    this.#server.on('request', answer);
    this.#server.on('checkContinue', answer);
    this.#server.on('checkExpectation', answer);
    this.#server.on('connect', (_req, socket) => this.#refuse(socket, 405));
    this.#server.on('clientError', (error: ParserError, socket) => this.#refuse(socket, statusOf(error)));
    // Nobody connects to this server itself; but only then does it look for heads that don't come to an end.
    this.#server.emit('listening');
  }

  /** Takes a connection. */
  add(socket: Duplex, connection: ClientConnection): void {
    const budget = new SendBudget(HELD_MAX);
    const faults = new Faults();
    this.#turns.set(socket, {
      connection,
      budget,
      faults,
      waiting: [],
      isBusy: false,
      isLast: false,
      isRefused: false,
    });
    this.#server.emit('connection', socket);
  }

  /** Requests may go on by messages. */
  takeUpgrades(): void {
    this.#server.on('upgrade', (req, socket, early) => this.#upgrade(req, socket, early));
  }

  close(): void {
    this.#server.close();
  }

  /** Node reads no further request after one that bears Upgrade, whatever it asks for, and makes no answer to it. */
  #upgrade(req: IncomingMessage, socket: Duplex, early: Buffer): void {
    const res = new ServerResponse(req);
    res.assignSocket(socket as Socket);
    res.shouldKeepAlive = false;
    res.once('finish', () => (socket as Socket).destroySoon());
    const key = req.headers['sec-websocket-key'] ?? '';
    this.#take(req, res, req.httpVersionMinor > 0 && KEY.test(key) ? { key, early } : undefined);
    const turn = this.#turns.get(socket);
    if (turn !== undefined) turn.isLast = true;
  }

  #take(req: IncomingMessage, res: ServerResponse, wish?: Wish): void {
    const { socket } = req;
    const turn = this.#turns.get(socket);
    if (turn === undefined || turn.isLast) return;
    if (!turn.isBusy) {
      this.#answer(turn, req, res, wish);
      return;
    }
    turn.waiting.push(() => this.#answer(turn, req, res, wish));
    if (turn.waiting.length === WAITING_PAUSE) socket.pause();
    if (turn.waiting.length === WAITING_MAX) {
      turn.isLast = true;
      res.shouldKeepAlive = false;
    }
  }

  #answer(turn: Turn, req: IncomingMessage, res: ServerResponse, wish: Wish | undefined): void {
    const { socket } = req;
    // Behind an answer that was cut there is nothing more.
    if (!socket.writable) return;
    const { connection, budget, faults } = turn;
    turn.isBusy = true;
    const request = requestOf(req);
    const response = new Http1Response(res, connection.address, budget, {
      flushing: change => this.#handler().flushing(change),
      over: () => this.#next(turn, socket),
      isLast: status => {
        turn.isLast ||= faults.isEnough(status, isPassedOn(connection, request));
        return turn.isLast && turn.waiting.length === 0;
      },
    });
    if (typeof request === 'number') {
      this.#end(turn, res);
      turn.isRefused = true;
      this.#handler().refused(request, connection.address);
      response.writeStatus(Buffer.from(`${request} ${REASONS[request]}${fieldLine('Content-Type', 'text/plain')}`));
      response.end(Buffer.from(`${REASONS[request]}\n`));
      return;
    }
    // Of several lines Node looks at the first that says whether it stays.
    if (saysClose(request)) this.#end(turn, res);
    this.#guard.isOld = req.httpVersionMinor === 0;
    this.#handler().request(response, request, wish && upgradeOf(wish, request, response, res));
    this.#guard.isOld = false;
  }

  /** Nothing that has come behind is answered. */
  #end(turn: Turn, res: ServerResponse): void {
    turn.isLast = true;
    turn.waiting.length = 0;
    res.shouldKeepAlive = false;
  }

  #next(turn: Turn, socket: Duplex): void {
    turn.isBusy = false;
    if (turn.waiting.length === WAITING_PAUSE) socket.resume();
    const next = turn.waiting.shift();
    // Not from within the end of the last, which Node is not done with.
    if (next !== undefined) {
      turn.isBusy = true;
      setImmediate(next);
    }
  }

  #refuse(socket: Duplex, status: number | undefined): void {
    const turn = this.#turns.get(socket);
    // Node tells of each piece that comes behind it.
    if (turn?.isRefused && status !== undefined) return;
    if (turn !== undefined) turn.isRefused = true;
    if (status !== undefined) this.#handler().refused(status, turn?.connection.address ?? '');
    if (status === undefined || turn?.isBusy || !socket.writable) {
      socket.destroy();
      return;
    }
    refuse(socket, status);
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

function saysClose(request: NodeRequest): boolean {
  if (request.getHeader('connection') === '') return false;
  let says = false;
  request.forEach((name, value) => {
    says ||= name === 'connection' && hasToken(value, 'close');
  });
  return says;
}

function upgradeOf({ key, early }: Wish, req: NodeRequest, response: Http1Response, res: ServerResponse): Upgrade {
  const protocol = offeredProtocol(req);
  return handler => {
    const socket = res.socket!;
    response.switched();
    res.detachSocket(socket);
    new NodeSocket(socket, handler, { key, protocol }, early);
  };
}

/**
 * What Node has read, in normal form: a path, and one Host, which is that of an absolute target (RFC 9112 section
 * 3.2.2). The status for what another server could read in another way.
 */
function requestOf(message: IncomingMessage): NodeRequest | number {
  const { method = '', url = '', rawHeaders, httpVersionMajor, httpVersionMinor } = message;
  // A line that names no version is one of 0.9.
  if (httpVersionMajor !== 1) return httpVersionMajor === 0 ? 400 : 505;
  if (rawHeaders.length > LINES_MAX * 2) return 431;
  const [, authority, rest = ''] = ABSOLUTE.exec(url) ?? [];
  if (authority === '') return 400;
  const target = authority === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`;
  if (!target.startsWith('/') && !(target === '*' && method === 'OPTIONS')) return 400;
  const lines: string[] = [];
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    // Of content nothing is read, and only its length tells where it would end.
    if (name === 'transfer-encoding') return 400;
    if (name === 'host') hosts++;
    lines.push(name, name === 'host' && authority !== undefined ? authority : rawHeaders[at + 1]!);
  }
  if (hosts > 1 || (hosts === 0 && httpVersionMinor > 0)) return 400;
  if (hosts === 0 && authority !== undefined) lines.push('host', authority);
  return new NodeRequest(method, target, lines);
}
