import type { SendToAll } from '../live/delivery/fan.js';
import { FRAME_PREFIX, type ViewerSocket } from '../live/delivery/viewer-socket.js';
import type { FrontSocket } from './front-end.js';
import { sendToOne } from './live-socket.js';

/** Statuses of closing (RFC 6455 section 7.4.1): the stream has ended; this process goes, the stream does not. */
const [NORMAL, GOING_AWAY] = [1000, 1001];

/** What sockets of viewers by WebSocket do by the front end, which also answers pings, and closes. */
abstract class MessageSocket {
  protected readonly socket: FrontSocket;

  constructor(socket: FrontSocket) {
    this.socket = socket;
  }

  begin(bytes: Uint8Array): boolean {
    return this.socket.send(bytes);
  }

  /** The front end never drops a message while it holds nothing. */
  isFree(): boolean {
    return this.socket.getBufferedAmount() === 0;
  }

  canEnd(): boolean {
    return this.socket.endsBehindAll || this.isFree();
  }

  end(_sent: number, goesOn: boolean): void {
    this.socket.end(goesOn ? GOING_AWAY : NORMAL);
  }

  cut(): void {
    this.socket.close();
  }
}

/**
 * Messages go to the socket itself, which tells how much it has taken. Within one of them nothing is read, so that the
 * front end has nothing to answer.
 */
export class DirectMessageSocket extends MessageSocket implements ViewerSocket {
  readonly descriptor: number;
  readonly #sendToAll: SendToAll;

  constructor(socket: FrontSocket, descriptor: number, sendToAll: SendToAll) {
    super(socket);
    this.descriptor = descriptor;
    this.#sendToAll = sendToAll;
  }

  brokenOff(): void {
    this.socket.owes(true);
  }

  send(frame: Uint8Array, skip: number, length: number): number {
    const taken = sendToOne(this.#sendToAll, this.descriptor, FRAME_PREFIX.websocket(length), frame, skip);
    const isWhole = skip + taken === this.size(length);
    if (!isWhole && skip + taken > 0) this.socket.owes(true);
    else if (skip > 0) this.socket.owes(false);
    return taken;
  }

  size(length: number): number {
    return FRAME_PREFIX.websocket(length).length + length;
  }
}

/** Messages of a viewer whose bytes only the front end can write, since they are encrypted. */
export class FrontEndMessageSocket extends MessageSocket implements ViewerSocket {
  readonly descriptor = 0;

  brokenOff(): void {}

  send(frame: Uint8Array): number {
    this.socket.send(frame);
    return frame.length;
  }

  size(length: number): number {
    return length;
  }
}
