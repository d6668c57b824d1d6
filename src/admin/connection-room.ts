import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Bounds the connections of a server so that there is always room for one more: the one goes that has been idle for
 * longest, whether it has never asked anything or asks nothing more; without an idle one the oldest.
 */
export class ConnectionRoom {
  /** Those without an answer under way, the longest idle first. */
  readonly #idle = new Set<Socket>();
  readonly #busy = new Set<Socket>();
  readonly #most: number;

  /** @param most connections; at least 1 */
  constructor(server: Server, most: number) {
    this.#most = most;
    server.on('connection', socket => this.#take(socket));
    server.on('request', (request, response) => this.#ask(request, response));
  }

  #take(socket: Socket): void {
    if (this.#idle.size + this.#busy.size >= this.#most) {
      const [oldest] = this.#idle.size > 0 ? this.#idle : this.#busy;
      this.#forget(oldest!);
      oldest!.destroy();
    }
    this.#idle.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  #ask({ socket }: IncomingMessage, response: ServerResponse): void {
    if (!this.#idle.delete(socket)) return;
    this.#busy.add(socket);
    response.once('close', () => {
      if (this.#busy.delete(socket)) this.#idle.add(socket);
    });
  }

  #forget(socket: Socket): void {
    this.#idle.delete(socket);
    this.#busy.delete(socket);
  }
}
