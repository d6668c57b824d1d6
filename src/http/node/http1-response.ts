import type { ServerResponse } from 'node:http';
import { type AnswerEvents, type NodeHead, NodeResponse } from './node-response.js';
import { destroyLater } from './refusal.js';
import type { SendBudget } from './send-budget.js';

/** An answer of HTTP/1.1 or HTTP/1.0. */
export class Http1Response extends NodeResponse {
  readonly #res: ServerResponse;

  constructor(res: ServerResponse, address: string, budget: SendBudget, events: AnswerEvents) {
    super(address, budget, events);
    this.#res = res;
    // In HTTP/1.1 a connection is kept unless an answer says otherwise.
    if (res.req.httpVersionMinor > 0) res.removeHeader('connection');
    res.on('error', () => {});
    res.once('finish', () => this.gone());
    res.once('close', () => this.gone());
  }

  protected sendHead({ status, reason, lines }: NodeHead): void {
    if (this.events.isLast(status) && !lines.includes('Connection')) lines.push('Connection', 'close');
    this.#res.writeHead(status, reason, lines);
  }

  protected send(bytes: Uint8Array, taken: () => void): void {
    this.#res.write(bytes, taken);
  }

  protected finish(): void {
    this.#res.end();
  }

  /** What Node holds goes out first: the client has been counted as its receiver. */
  protected destroy(): void {
    const { socket } = this.#res;
    if (socket === null || socket.writableLength === 0) {
      this.#res.destroy();
      return;
    }
    // Nothing of a further request.
    socket.pause();
    socket.destroySoon();
    destroyLater(socket);
  }

  cork(turn: () => void): void {
    this.#res.cork();
    try {
      turn();
    } finally {
      this.#res.uncork();
    }
  }
}
