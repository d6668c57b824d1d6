import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A player that asks for a file, reads its beginning, and then reads nothing until it is told to. */
export class PausedPlayer {
  readonly #socket: Socket;
  #received = 0;
  #closed = false;

  private constructor(port: number, path: string) {
    this.#socket = connect({ port, host: '127.0.0.1' });
    this.#socket.on('close', () => {
      this.#closed = true;
    });
    this.#socket.on('error', () => {});
    this.#socket.on('data', chunk => {
      this.#received += chunk.length;
    });
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  }

  /** Connects a player and pauses it at the first bytes that it gets. */
  static async start(port: number, path: string): Promise<PausedPlayer> {
    const player = new PausedPlayer(port, path);
    await once(player.#socket, 'data');
    player.#socket.pause();
    return player;
  }

  /** True when the server has given the player up while it was reading. Of a paused one the kernel tells only when it reads on. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Reads on until `bytes` more have come. Returns false when the server has given the player up. */
  async readOn(bytes: number): Promise<boolean> {
    const wanted = this.#received + bytes;
    const deadline = Date.now() + 20_000;
    this.#socket.resume();
    while (this.#received < wanted && !this.#closed && Date.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    this.#socket.pause();
    return this.#received >= wanted;
  }

  end(): void {
    this.#socket.destroy();
  }
}
