import { constants, type ServerHttp2Stream } from 'node:http2';
import { type AnswerEvents, type NodeHead, NodeResponse } from './node-response.js';
import type { SendBudget } from './send-budget.js';

/** Fields that HTTP/2 has no place for (RFC 9113 section 8.2.2). */
const OF_CONNECTIONS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/** An answer on a stream of HTTP/2. */
export class Http2Response extends NodeResponse {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, address: string, budget: SendBudget, events: AnswerEvents) {
    super(address, budget, events);
    this.#stream = stream;
    stream.once('close', () => this.gone());
  }

  /** Whether anything may be written: a client may have taken its request back before it was looked at. */
  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  protected sendHead({ status, lines }: NodeHead, hasBody: boolean): void {
    this.events.isLast(status);
    if (!this.#isOpen) return;
    const fields: Record<string, string | number | string[]> = { ':status': status };
    for (let at = 0; at < lines.length; at += 2) {
      const name = lines[at]!.toLowerCase();
      if (OF_CONNECTIONS.has(name)) continue;
      const before = fields[name];
      const value = lines[at + 1]!;
      if (before === undefined) fields[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else fields[name] = SINGLE.has(name) ? `${before}, ${value}` : [String(before), value];
    }
    this.#stream.respond(fields, { endStream: !hasBody });
  }

  protected send(bytes: Uint8Array, taken: () => void): void {
    if (this.#isOpen) this.#stream.write(bytes, taken);
  }

  protected finish(): void {
    if (this.#isOpen) this.#stream.end();
  }

  protected destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  cork(turn: () => void): void {
    this.#stream.cork();
    try {
      turn();
    } finally {
      this.#stream.uncork();
    }
  }
}

/** Lists of which Node takes a single line only. */
const SINGLE = new Set(['access-control-allow-credentials', 'age', 'content-type', 'etag', 'vary']);
