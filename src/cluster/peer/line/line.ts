import type { ExchangeSink } from '../../../origin/http/origin-exchange.js';
import { failureOf, type TransportFailure } from '../../../origin/http/transport-failure.js';
import { parseAnswerHead } from './answer-head.js';
import { BodyReader } from './body-reader.js';
import { type CarriedSoFar, type Conduit, type ConduitListener, NOTHING_CARRIED } from './conduit.js';

/** Bytes that one read of a connection takes at most: a block. What is read in small pieces costs twice as much. */
const READ_SIZE = 256 * 1024;
/** Most bytes of an answer's head. */
const HEAD_MAX = 64 * 1024;
/** Least bytes that are worth carrying. */
const CARRIED_MIN = 16 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/** Makes a connection. */
export type Connect = (buffer: Uint8Array, listener: ConduitListener) => Conduit;

/**
 * Told when carrying is over.
 * @param bytes that the player's socket has taken
 * @param isLost it takes nothing any more
 */
export type Carried = (bytes: number, isLost: boolean) => void;

/** Told what becomes of a line. */
export interface LineOwner {
  /** It is free for another request. */
  idle(line: PeerLine): void;
  /** It is gone. */
  closed(line: PeerLine): void;
}

/** One request of a line, and what takes its answer. */
export interface LineRequest {
  readonly text: string;
  /** Its answer has no body, whatever its head says. */
  readonly isHead: boolean;
  readonly sink: ExchangeSink;
}

/**
 * A connection to another edge: one request at a time, whose answer is handed on as it lies in the buffer that the
 * connection is read into. What the taker pauses over stays there, and nothing more is read meanwhile.
 */
export class PeerLine implements ConduitListener {
  /** Milliseconds of a monotonic clock since when nothing is asked by it. */
  idleSince = 0;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  readonly #owner: LineOwner;
  readonly #conduit: Conduit;
  readonly #timer: NodeJS.Timeout;
  #isConnected = false;
  #isClosed = false;
  #uses = 0;
  /** The request at hand, from when it is given to the line until its answer has been handed on whole. */
  #request: LineRequest | undefined;
  /** What came of a head that is not whole. */
  #head: Buffer = NOTHING;
  #body: BodyReader | undefined;
  #isLast = false;
  #isPaused = false;
  /** Takes what has gone to a player's socket past the sink. */
  #carried: Carried | undefined;
  /** The socket is not read from. */
  #isStopped = false;
  /** What has been read and not handed on. */
  #unread: Buffer = NOTHING;
  #isHandingOn = false;
  /** Of an answer that nobody takes: how many bytes may still come. */
  #drained: { left: number; readonly timer: NodeJS.Timeout } | undefined;

  /**
   * @param connectTimeout milliseconds
   * @param request which the connection is made for
   */
  constructor(connect: Connect, connectTimeout: number, owner: LineOwner, request: LineRequest) {
    this.#owner = owner;
    this.#request = request;
    this.#timer = setTimeout(() => {
      const late = { code: 'UND_ERR_CONNECT_TIMEOUT' };
      this.close(Object.assign(new Error('the connection was not made in time'), late));
    }, connectTimeout);
    this.#conduit = connect(this.#buffer, this);
  }

  /** Sends a request; the line must be idle. */
  ask(request: LineRequest): void {
    this.#request = request;
    this.#send();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Lets bytes flow again; they come later, not from within this call. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isHandingOn) return;
    if (this.#unread.length === 0 && this.#body?.isComplete !== true) this.#readOn();
    else queueMicrotask(() => this.#goOn());
  }

  /** Breaks off whatever is asked by it, for that reason. */
  close(reason: Error): void {
    this.#conduit.destroy(reason);
  }

  /** Ends the request and the connection with it; its sink hears nothing more. */
  cut(): void {
    this.#request = undefined;
    this.#conduit.destroy();
  }

  /** Ends the request, but keeps the connection when no more than `bytes` of its body come within `ms`. */
  drain(bytes: number, ms: number): void {
    if (this.#request === undefined || this.#drained !== undefined) return;
    const timer = setTimeout(() => this.cut(), ms).unref();
    this.#drained = { left: bytes, timer };
    this.#isPaused = true;
    this.resume();
  }

  #send(): void {
    const { text, sink } = this.#request!;
    this.#conduit.write(text);
    sink.sent(this.#uses++ > 0);
  }

  /**
   * Has the rest of the body at hand go to a player's socket, past the sink, which hears of it when it has ended.
   * @param socket which the gate guards, and which owes nothing
   * @param carried told how much has gone there; maybe from within this call
   * @returns false when that can't be done
   */
  carry(socket: number, carried: Carried): boolean {
    const bytes = this.#body?.known ?? 0;
    if (bytes < CARRIED_MIN || this.#unread.length > 0 || this.#isPaused || this.#drained !== undefined) return false;
    const begun = this.#conduit.carry(socket, bytes);
    if (begun === 'refused') return false;
    this.#carried = carried;
    if (begun !== 'underWay') this.carried(begun === 'lost');
    return true;
  }

  /** How far it has come with what is carried. */
  carriage(): CarriedSoFar {
    return this.#carried === undefined ? NOTHING_CARRIED : this.#conduit.carriage();
  }

  connected(): void {
    clearTimeout(this.#timer);
    this.#isConnected = true;
    if (this.#request !== undefined) this.#send();
  }

  carried(isLost: boolean): void {
    const carried = this.#carried;
    if (carried === undefined) return;
    this.#carried = undefined;
    const { bytes } = this.#conduit.carriage();
    this.#body!.skip(bytes);
    carried(bytes, isLost);
    this.#goOn();
  }

  received(bytes: number): boolean {
    this.#unread = this.#buffer.subarray(0, bytes);
    this.#handOn();
    this.#isStopped = this.#unread.length > 0 || this.#isPaused;
    return !this.#isStopped;
  }

  #goOn(): void {
    if (this.#isPaused || this.#isClosed || this.#isHandingOn) return;
    this.#handOn();
    if (this.#unread.length === 0 && !this.#isPaused) this.#readOn();
  }

  #readOn(): void {
    if (!this.#isStopped || this.#isClosed) return;
    this.#isStopped = false;
    this.#conduit.readOn();
  }

  /** Hands on what has been read, as far as it is taken. */
  #handOn(): void {
    this.#isHandingOn = true;
    if (this.#request === undefined) {
      // Nobody has asked for anything.
      this.cut();
      this.#unread = NOTHING;
    }
    while (this.#request !== undefined && !this.#isPaused) {
      if (this.#body === undefined ? !this.#takeHead() : !this.#takeBody(this.#body)) break;
    }
    if (this.#request === undefined) this.#unread = NOTHING;
    this.#isHandingOn = false;
  }

  /** False when there is nothing more to take. */
  #takeHead(): boolean {
    if (this.#unread.length === 0) return false;
    const known = this.#head.length;
    const bytes = known === 0 ? this.#unread : Buffer.concat([this.#head, this.#unread]);
    const end = bytes.indexOf('\r\n\r\n', Math.max(0, known - 3), 'latin1');
    if (end < 0 && bytes.length <= HEAD_MAX) {
      this.#head = known === 0 ? Buffer.from(bytes) : bytes;
      this.#unread = NOTHING;
      return false;
    }
    const head = end < 0 || end > HEAD_MAX ? undefined : parseAnswerHead(bytes.toString('latin1', 0, end));
    if (head === undefined) {
      this.#break('protocol', 'the head of the answer is none of an edge');
      return false;
    }
    this.#head = NOTHING;
    this.#unread = this.#unread.subarray(end + 4 - known);
    this.#body = new BodyReader(this.#request!.isHead ? 0 : head.framing);
    this.#isLast = head.isLast;
    if (this.#drained === undefined) this.#request!.sink.answered(head.status, head.fields);
    return true;
  }

  /** False when there is nothing more to take. */
  #takeBody(body: BodyReader): boolean {
    if (body.isComplete) {
      this.#end();
      return false;
    }
    body.at = 0;
    const found = body.next(this.#unread);
    this.#unread = this.#unread.subarray(body.at);
    if (body.isBroken) this.#break('reset', 'the chunks of the answer make no sense');
    else if (found !== undefined) this.#give(found);
    return found !== undefined || body.isComplete;
  }

  #give(bytes: Uint8Array): void {
    if (this.#drained === undefined) {
      this.#request!.sink.bytes(bytes);
      return;
    }
    this.#drained.left -= bytes.length;
    if (this.#drained.left < 0) this.cut();
  }

  #end(): void {
    const { sink } = this.#request!;
    const isDrained = this.#drained !== undefined;
    clearTimeout(this.#drained?.timer);
    this.#drained = undefined;
    this.#request = undefined;
    this.#body = undefined;
    // What follows an answer follows nothing that was asked.
    if (this.#isLast || this.#unread.length > 0) this.#conduit.destroy();
    else this.#owner.idle(this);
    if (!isDrained) sink.ended();
  }

  #break(kind: TransportFailure, message: string): void {
    const { sink } = this.#request!;
    const isDrained = this.#drained !== undefined;
    this.cut();
    if (!isDrained) sink.failed(kind, new Error(message));
  }

  closed(error: Error): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#request !== undefined) this.carried(false);
    clearTimeout(this.#drained?.timer);
    const request = this.#request;
    this.#request = undefined;
    this.#unread = NOTHING;
    this.#owner.closed(this);
    if (request === undefined || this.#drained !== undefined) return;
    request.sink.failed(failureOf(error, this.#isConnected, this.#body !== undefined), error);
  }
}
