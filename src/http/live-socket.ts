import type { Transport } from '../delivery/transport.js';
import type { SendToAll } from '../live/delivery/fan.js';
import { FRAME_PREFIX, type ViewerSocket } from '../live/delivery/viewer-socket.js';

/** What an answer to a viewer does besides sending tags. */
export interface LiveAnswer {
  /** Writes status and fields; to be called inside cork. */
  head(): void;
  /** Runs `write` so that what it writes goes out as one. */
  cork(write: () => void): void;
  /** The body has been sent whole. */
  ended(bytes: number): void;
}

/** One socket, and what it has taken. */
const ONE = new Int32Array(1);
const TAKEN = new Int32Array(1);

/** Sends what has not been taken of a frame to one socket; returns the bytes that it took, negative when it is gone. */
export function sendToOne(
  sendToAll: SendToAll,
  descriptor: number,
  prefix: Uint8Array,
  frame: Uint8Array,
  skip: number,
): number {
  ONE[0] = descriptor;
  sendToAll(ONE, 1, prefix, frame, skip, TAKEN);
  return TAKEN[0]!;
}

/** What sockets of viewers do by the front end, which writes head and first bytes, and ends the answer. */
abstract class AnswerSocket {
  protected readonly transport: Transport;
  protected readonly answer: LiveAnswer;

  constructor(transport: Transport, answer: LiveAnswer) {
    this.transport = transport;
    this.answer = answer;
  }

  begin(bytes: Uint8Array): boolean {
    let taken = false;
    this.answer.cork(() => {
      this.answer.head();
      taken = this.transport.write(bytes);
    });
    return taken;
  }

  brokenOff(): void {}

  abstract isFree(): boolean;

  canEnd(): boolean {
    return this.isFree();
  }

  end(sent: number): void {
    this.answer.cork(() => this.transport.end());
    this.answer.ended(sent);
  }

  cut(): void {
    this.transport.close();
  }
}

/**
 * The socket of a viewer over plain HTTP. The front end writes the head and the first chunk, and the last one; those
 * between go to the socket itself, which tells how much it has taken, so that nothing is kept of what it does not take.
 */
export class DirectSocket extends AnswerSocket implements ViewerSocket {
  readonly descriptor: number;
  readonly #sendToAll: SendToAll;

  constructor(descriptor: number, transport: Transport, answer: LiveAnswer, sendToAll: SendToAll) {
    super(transport, answer);
    this.descriptor = descriptor;
    this.#sendToAll = sendToAll;
  }

  isFree(): boolean {
    return true;
  }

  send(frame: Uint8Array, skip: number, length: number): number {
    return sendToOne(this.#sendToAll, this.descriptor, FRAME_PREFIX.http(length), frame, skip);
  }

  size(length: number): number {
    return FRAME_PREFIX.http(length).length + length;
  }
}

/**
 * The socket of a viewer whose bytes only the front end can write, since they are encrypted. What the socket does not
 * take of a frame the front end keeps, and no other frame is begun meanwhile.
 */
export class FrontEndSocket extends AnswerSocket implements ViewerSocket {
  readonly descriptor = 0;
  #isFree = true;

  override begin(bytes: Uint8Array): boolean {
    this.transport.onWritable(() => {
      // What the front end keeps goes out at the end of a cork.
      this.transport.cork(() => {});
      this.#isFree = true;
      return true;
    });
    return super.begin(bytes);
  }

  isFree(): boolean {
    return this.#isFree;
  }

  send(frame: Uint8Array): number {
    this.answer.cork(() => {
      this.#isFree = this.transport.write(frame);
    });
    return frame.length;
  }

  size(length: number): number {
    return length;
  }
}
