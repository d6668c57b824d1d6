import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PeerSignature } from '../../src/cluster/peer/signature.js';

/** What stands in a peer's place and answers as it likes, signed as a peer's answers are unless told otherwise. */
export class FalsePeer {
  /** Targets that it was asked for; probes are not among them. */
  readonly requests: string[] = [];
  port = 0;
  /** Probes are not answered. */
  isDeaf = false;
  /** Probes are answered like everything else. */
  isOther = false;
  readonly #signature: PeerSignature;
  readonly #server;
  readonly #sockets = new Set<Socket>();

  /** @param answer takes each request but probes, and the value of the peer field for a status */
  constructor(
    answer: (request: IncomingMessage, response: ServerResponse, voucher: (status: number) => string) => void,
    secret = 'a secret of the cluster',
  ) {
    this.#signature = new PeerSignature(secret);
    this.#server = createServer((request, response) => {
      const signed = String(request.headers['moovedge-peer']).split(' ').at(-1)!;
      const voucher = (status: number) => this.#signature.answer({ load: 0, copies: 0, lifetime: 0 }, status, signed);
      if (request.url === '/' && !this.isOther) {
        if (!this.isDeaf) response.writeHead(204, { 'Moovedge-Peer': voucher(204) }).end();
        return;
      }
      if (request.url !== '/') this.requests.push(request.url!);
      answer(request, response, voucher);
    });
    this.#server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
