import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fieldLine } from '../../base/field-line.js';
import { hasToken } from '../framing.js';
import { type FrontEndHandler, offeredProtocol, type Upgrade } from '../front-end.js';
import type { Asking } from './account.js';
import { type ClientConnection, isPassedOn } from './client-connection.js';
import { Faults } from './faults.js';
import { http1RequestOf } from './http1-request.js';
import { Http1Response } from './http1-response.js';
import type { NodeGuard } from './node-guard.js';
import type { NodeRequest } from './node-request.js';
import { NodeSocket } from './node-socket.js';
import { REASONS, refuse } from './refusal.js';
import { requestTurns } from './request-turns.js';
import { SendBudget } from './send-budget.js';

/** Bytes of an answer that Node may hold. */
const HELD_MAX = 128 * 1024;
/** Requests that wait for the answers before them; from so many on nothing more is read. */
const WAITING_PAUSE = 16;
/** Most of them, when they have come all at once; the connection is closed after the last. */
const WAITING_MAX = 512;
/** A key of WebSocket: 16 bytes in base64 (RFC 6455 section 4.2.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** A request as Node has read it. */
interface Asked {
  readonly req: IncomingMessage;
  /** Node's answer; undefined where it makes none, for a request that bears Upgrade. */
  readonly res: ServerResponse | undefined;
  /** Bytes that have come behind such a one. */
  readonly early?: Buffer;
}

/**
 * A connection that speaks HTTP/1.1 or 1.0. Requests that are pipelined are answered in order, one at a time, each in
 * its client's turn, so that who reads no answer has no more of them made.
 */
export class Http1Connection implements Asking {
  readonly #handler: () => FrontEndHandler;
  readonly #guard: NodeGuard;
  readonly #socket: Duplex;
  readonly #client: ClientConnection;
  readonly #budget = new SendBudget(HELD_MAX);
  readonly #faults = new Faults();
  /** What is answered, or has its turn next: a request, or the status of what is none. */
  #asked: Asked | number | undefined;
  /** What has come behind it. */
  readonly #behind: (Asked | number)[] = [];
  /** Nothing of what still comes is answered. */
  #isLast = false;

  constructor(handler: () => FrontEndHandler, guard: NodeGuard, socket: Duplex, client: ClientConnection) {
    this.#handler = handler;
    this.#guard = guard;
    this.#socket = socket;
    this.#client = client;
  }

  /** A request has come. */
  ask(req: IncomingMessage, res: ServerResponse): void {
    if (this.#isLast) return;
    this.#add({ req, res });
    if (this.#behind.length === WAITING_MAX) this.#isLast = true;
  }

  /**
   * A request has come that bears Upgrade, behind which Node reads no other one.
   * @param early bytes that have come behind it
   */
  askLast(req: IncomingMessage, early: Buffer): void {
    if (this.#isLast) return;
    this.#isLast = true;
    this.#add({ req, res: undefined, early });
  }

  /** What has come is no request. Node tells of each piece that comes behind it, too. */
  refuse(status: number): void {
    if (this.#isLast) return;
    this.#isLast = true;
    this.#add(status);
  }

  waits(change: number): void {
    this.#handler().waiting(change);
  }

  answer(): void {
    const asked = this.#asked!;
    // Behind an answer that was cut there is nothing more.
    if (!this.#socket.writable) return;
    if (typeof asked === 'object') this.#answer(asked);
    else {
      this.#handler().refused(asked, this.#client.address);
      refuse(this.#socket, asked);
    }
  }

  #add(asked: Asked | number): void {
    if (this.#asked === undefined) {
      this.#asked = asked;
      requestTurns.take(this.#client.account, this, false);
    } else if (this.#behind.push(asked) === WAITING_PAUSE) this.#socket.pause();
  }

  #next(): void {
    if (this.#behind.length === WAITING_PAUSE) this.#socket.resume();
    this.#asked = this.#behind.shift();
    if (this.#asked !== undefined) requestTurns.take(this.#client.account, this, true);
  }

  #answer({ req, res = this.#responseTo(req), early }: Asked): void {
    const { address } = this.#client;
    const request = http1RequestOf(req);
    const response = new Http1Response(res, address, this.#budget, {
      waiting: change => this.#handler().waiting(change),
      over: () => this.#next(),
      isLast: status => {
        this.#isLast ||= this.#faults.isEnough(status, isPassedOn(this.#client, request));
        return this.#isLast && this.#behind.length === 0;
      },
    });
    if (typeof request === 'number') {
      this.#end();
      this.#handler().refused(request, address);
      response.writeStatus(Buffer.from(`${request} ${REASONS[request]}${fieldLine('Content-Type', 'text/plain')}`));
      response.end(Buffer.from(`${REASONS[request]}\n`));
      return;
    }
    // Of several lines Node looks at the first that says whether it stays.
    if (saysClose(request)) this.#end();
    this.#guard.isOld = req.httpVersionMinor === 0;
    this.#handler().request(response, request, early && upgradeOf(req, early, request, response, res));
    this.#guard.isOld = false;
  }

  /** Nothing that has come behind is answered. */
  #end(): void {
    this.#isLast = true;
    this.#behind.length = 0;
  }

  /** Node makes no answer to a request that bears Upgrade. The connection has no other one by now. */
  #responseTo(req: IncomingMessage): ServerResponse {
    const res = new ServerResponse(req);
    const socket = this.#socket as Socket;
    res.assignSocket(socket);
    res.once('finish', () => socket.destroySoon());
    return res;
  }
}

function saysClose(request: NodeRequest): boolean {
  if (request.getHeader('connection') === '') return false;
  let says = false;
  request.forEach((name, value) => {
    says ||= name === 'connection' && hasToken(value, 'close');
  });
  return says;
}

/** Has the connection go on by messages, where the request may. */
function upgradeOf(
  req: IncomingMessage,
  early: Buffer,
  request: NodeRequest,
  response: Http1Response,
  res: ServerResponse,
): Upgrade | undefined {
  const key = req.headers['sec-websocket-key'] ?? '';
  if (req.httpVersionMinor === 0 || !KEY.test(key)) return undefined;
  const protocol = offeredProtocol(request);
  return handler => {
    const socket = res.socket!;
    response.switched();
    res.detachSocket(socket);
    new NodeSocket(socket, handler, { key, protocol }, early);
  };
}
