import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { FrontEndHandler } from '../front-end.js';
import type { Asking } from './account.js';
import { type ClientConnection, isPassedOn } from './client-connection.js';
import { Faults } from './faults.js';
import { http2RequestOf } from './http2-request.js';
import { Http2Response } from './http2-response.js';
import { requestTurns } from './request-turns.js';
import { SendBudget } from './send-budget.js';
import { ENOUGH } from './session-watch.js';

/** Bytes of all answers of a connection that Node may hold. */
const HELD_MAX = 512 * 1024;
/**
 * Requests that a client may take back at once, and in a second on average. Players do so with each seek; who does it
 * faster asks only to have work done (CVE-2023-44487).
 */
const RESETS_AT_ONCE = 200;
const RESETS_PER_SECOND = 20;

/** A request as Node has read it. */
interface Asked {
  readonly stream: ServerHttp2Stream;
  /** Names and values by turns. */
  readonly lines: readonly string[];
}

/** A connection that speaks HTTP/2. Requests are taken in its client's turn; their answers go side by side. */
export class Http2Connection implements Asking {
  readonly #handler: () => FrontEndHandler;
  readonly #session: ServerHttp2Session;
  readonly #client: ClientConnection;
  readonly #budget = new SendBudget(HELD_MAX);
  readonly #faults = new Faults();
  readonly #resets = new Allowance(RESETS_AT_ONCE, RESETS_PER_SECOND);
  /** Requests whose turn has not come. */
  readonly #asked: Asked[] = [];
  /** Streams that are not closed. */
  #open = 0;
  #isHalfClosed = false;

  constructor(handler: () => FrontEndHandler, session: ServerHttp2Session, client: ClientConnection) {
    this.#handler = handler;
    this.#session = session;
    this.#client = client;
  }

  /** Whether anything has been asked for that has not come to its end. */
  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** The client has sent its last byte: it gets what it has asked for, as far as its windows go. */
  halfClose(): void {
    this.#isHalfClosed = true;
    if (this.#open === 0) this.#session.destroy();
  }

  /**
   * A request has come.
   * @param lines names and values by turns
   */
  ask(stream: ServerHttp2Stream, lines: readonly string[]): void {
    this.#open++;
    stream.on('error', () => {});
    stream.once('close', () => this.#closed(stream));
    // Content is dropped.
    stream.resume();
    if (this.#asked.push({ stream, lines }) === 1) requestTurns.take(this.#client.account, this, false);
  }

  waits(change: number): void {
    this.#handler().waiting(change);
  }

  answer(): void {
    let asked = this.#asked.shift();
    // What has been taken back while it waited.
    while (asked?.stream.closed || asked?.stream.destroyed) asked = this.#asked.shift();
    if (this.#asked.length > 0) requestTurns.take(this.#client.account, this, true);
    if (asked !== undefined) this.#answer(asked);
  }

  #closed(stream: ServerHttp2Stream): void {
    this.#open--;
    if (this.#isHalfClosed && this.#open === 0) this.#session.destroy();
    const isTakenBack = stream.rstCode === constants.NGHTTP2_CANCEL || !stream.writableFinished;
    if (isTakenBack && !this.#resets.take() && !this.#session.destroyed) this.#session.destroy(ENOUGH);
  }

  #answer({ stream, lines }: Asked): void {
    const { address } = this.#client;
    const request = http2RequestOf(lines);
    let isLast = false;
    const response = new Http2Response(stream, address, this.#budget, {
      waiting: change => this.#handler().waiting(change),
      over: () => {
        if (isLast) stream.session?.close();
      },
      isLast: status => {
        isLast = this.#faults.isEnough(status, isPassedOn(this.#client, request));
        return isLast;
      },
    });
    if (request === undefined) {
      this.#handler().refused(400, address);
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
