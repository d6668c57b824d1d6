import type { FrontSocket } from './front-end.js';
import type { Gate } from './gate.js';
import type { WebSocket } from './uws.js';

/** What `send` says of a message that was dropped. */
const DROPPED = 2;

/** A connection of uWebSockets.js that goes on by messages. */
export class UwsSocket implements FrontSocket {
  readonly endsBehindAll = false;
  readonly #socket: WebSocket<unknown>;
  readonly #gate: Gate;
  readonly #descriptor: number;

  /** @param descriptor 0 when the gate does not guard it */
  constructor(socket: WebSocket<unknown>, gate: Gate, descriptor: number) {
    this.#socket = socket;
    this.#gate = gate;
    this.#descriptor = descriptor;
  }

  send(message: Uint8Array): boolean {
    return this.#socket.send(message, true) !== DROPPED;
  }

  getBufferedAmount(): number {
    return this.#socket.getBufferedAmount();
  }

  owes(isBroken: boolean): void {
    if (isBroken) this.#gate.withinFrame(this.#descriptor);
    else this.#gate.answered(this.#descriptor);
  }

  end(code: number): void {
    this.#socket.end(code);
  }

  close(): void {
    this.#socket.close();
  }
}
