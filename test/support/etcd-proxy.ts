import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';

/** A server on a free port of loopback. */
export interface LocalServer {
  readonly url: string;
  close(): void;
}

/** A server over HTTP that is not etcd. */
export async function startHttp(
  take: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<LocalServer> {
  const server = createServer(take);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The way to a member, which can be cut: bytes are then swallowed, as by a network that drops them. */
export class Wire {
  readonly #server = createTcpServer(socket => this.#take(socket));
  /** URL of the member. */
  target: string;
  readonly #sockets = new Set<Socket>();
  /** What does not come through. */
  cut: 'nothing' | 'answers' | 'all' = 'nothing';

  private constructor(target: string) {
    this.target = target;
  }

  static async to(target: string): Promise<Wire> {
    const wire = new Wire(target);
    await new Promise<void>(resolve => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks connections off, so that both ends notice. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.reset();
    this.#server.close();
  }

  #take(near: Socket): void {
    const { port, hostname } = new URL(this.target);
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('data', bytes => {
        if (this.cut === 'nothing' || (this.cut === 'answers' && socket === near)) other.write(bytes);
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
