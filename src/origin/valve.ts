import type { Socket } from 'node:net';

/**
 * Holds back what a socket has received, below undici. undici's own pausing lets an assertion fail outside of any handler when the
 * peer closes a connection whose parser is paused, which would end the process; here the parser is never paused, it only finds
 * nothing to read.
 */
export class Valve {
  #shut = false;
  #missed = false;
  readonly #socket: Socket;
  /** Set when the socket broke: undici takes a reset for the end of a body that is delimited by the end of the connection. */
  broken: Error | undefined;
  /** Exchanges that the socket has carried. */
  uses = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    const read = socket.read.bind(socket);
    // Node itself reads with a size of 0, undici with none.
    socket.read = (size?: number) => {
      if (!this.#shut || size !== undefined) return read(size);
      this.#missed = true;
      return null;
    };
    socket.prependListener('error', error => {
      this.broken = error;
    });
  }

  shut(): void {
    this.#shut = true;
  }

  /** The parser must not be running: it can't be entered twice. */
  open(): void {
    this.#shut = false;
    if (!this.#missed) return;
    this.#missed = false;
    this.#socket.emit('readable');
  }
}
