import { cacheStatus } from '../base/cache-outcome.js';
import { fieldLine } from '../base/field-line.js';
import { HOP_BY_HOP } from '../base/request-fields.js';
import type { StreamSink } from '../catalog/content.js';
import { Backpressure, type Writer } from '../delivery/backpressure.js';
import { StreamDelivery } from '../delivery/stream-delivery.js';
import { type Field, FieldBlock } from './field-block.js';
import type { HttpContext } from './http-context.js';
import type { Reply } from './reply.js';
import type { RelayedHead, RelayHandle, RelaySink } from './request-routing.js';

/** Fields that each edge says for itself. */
const OWN = new Set([...HOP_BY_HOP, 'cache-status', 'content-length', 'date']);

const NOTHING = new Uint8Array(0);

/**
 * Another edge's answer, given to the player as it comes: nothing of it is made here, and of its body only what the
 * player's socket does not take at once is waited with, where it was read. The rest of a long body goes from socket to
 * socket. One of unknown length goes through a `StreamDelivery`.
 */
export class RelayedAnswer implements RelaySink, Writer {
  readonly #reply: Reply;
  readonly #context: HttpContext;
  readonly #open: () => void;
  readonly #ended: (error: unknown) => void;
  #relay: RelayHandle | undefined;
  #head: RelayedHead | undefined;
  #begun = false;
  /** What the socket has not taken of the chunk at hand. */
  #rest: Uint8Array | undefined;
  #backpressure: Backpressure | undefined;
  /** Sends a body of unknown length, and takes it. */
  #delivery: StreamDelivery | undefined;
  #stream: StreamSink | undefined;
  #isOver = false;
  /** Bytes of the body that the socket has taken, but for what `#delivery` sends, and those past the front end. */
  #sent = 0;
  #past = 0;
  #isCarried = false;
  /** Bytes that had been carried when the sweep asked last. */
  #carriedBefore = 0;

  /**
   * @param open called when the other edge has not answered, and nothing has been written
   * @param ended called when the answer is over, with what ended it badly
   */
  constructor(reply: Reply, context: HttpContext, open: () => void, ended: (error: unknown) => void) {
    this.#reply = reply;
    this.#context = context;
    this.#open = open;
    this.#ended = ended;
  }

  /** Bytes of the body that the socket has taken. */
  get sent(): number {
    return this.#delivery?.sent ?? this.#sent;
  }

  /** Begins with what the other edge answers. */
  begin(relay: RelayHandle): void {
    this.#relay = relay;
    this.#reply.suspend();
  }

  /** Ends the answer where it is. Nothing more is written. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#backpressure?.close();
    this.#delivery?.close();
    this.#relay?.cancel();
  }

  answered(head: RelayedHead): void {
    this.#head = head;
    if (!head.hasBody || head.length === 0) {
      this.#isOver = true;
      this.#reply.cork(() => {
        this.#writeHead(head);
        this.#reply.endEmpty();
      });
    } else if (head.length === undefined) this.#begin(head);
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#stream !== undefined) {
      if (!this.#stream.bytes(chunk)) this.#relay!.pause();
      return;
    }
    this.#rest = chunk;
    this.#turn();
    if (this.#isOver) return;
    if (this.#rest === undefined) this.#carry();
    else this.#relay!.pause();
  }

  ended(): void {
    if (!this.#isOver) this.#stream?.ended();
  }

  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#backpressure?.close();
    this.#delivery?.close();
    if (error === undefined) this.#open();
    else this.#ended(error);
  }

  writable(): void {
    if (this.#isOver || this.#rest === undefined) return;
    this.#write();
    if (this.#rest === undefined && !this.#isOver) this.#relay!.resume();
  }

  attempt(): boolean {
    if (this.#isCarried) return this.#hasCarried();
    const before = this.#sent;
    if (!this.#isOver) this.#reply.cork(() => this.writable());
    return this.#sent > before;
  }

  stalled(): void {
    this.#context.stats.stallTimeouts++;
  }

  /** Begins an answer whose length nobody knows. */
  #begin(head: RelayedHead): void {
    if (this.#reply.isOld) {
      this.close();
      this.#reply.cork(() => this.#reply.refuseOld());
      return;
    }
    const listener = {
      begin: () => this.#writeHead(head),
      ended: () => this.#complete(),
      failed() {},
    };
    this.#delivery = new StreamDelivery(this.#reply.transport, listener, this.#context);
    this.#delivery.start({
      start: sink => {
        this.#stream = sink;
        return { resume: () => this.#relay!.resume(), cancel: () => this.#relay!.cancel() };
      },
    });
  }

  /** From here on bytes go from socket to socket, if they can. */
  #carry(): void {
    const socket = this.#reply.plainSocket;
    if (socket === 0) return;
    this.#isCarried = true;
    this.#carriedBefore = 0;
    const isBegun = this.#relay!.carry(socket, (bytes, isLost) => this.#carried(bytes, isLost));
    if (!isBegun) this.#isCarried = false;
  }

  #carried(bytes: number, isLost: boolean): void {
    this.#isCarried = false;
    this.#sent += bytes;
    this.#past += bytes;
    this.#context.stats.responseBytes += bytes;
    if (isLost) this.#reply.transport.close();
    else if (this.#sent === this.#head!.length) {
      // The front end learns that the body is whole by what it has written of it.
      this.#reply.cork(() => this.#reply.transport.tryEnd(NOTHING, this.#sent - this.#past));
      this.#complete();
    }
  }

  /** Whether the player has taken a byte since that was asked last, or has none to take. */
  #hasCarried(): boolean {
    const { bytes, isHeld } = this.#relay!.carriage();
    if (isHeld && bytes === this.#carriedBefore) return false;
    this.#carriedBefore = bytes;
    this.#backpressure!.await(true);
    return true;
  }

  #turn(): void {
    this.#reply.cork(() => this.#write());
  }

  /** Gives the socket what it takes of the chunk at hand. */
  #write(): void {
    const { transport } = this.#reply;
    const head = this.#head!;
    const rest = this.#rest!;
    if (!this.#begun) this.#writeHead(head);
    const total = head.length!;
    const [isTaken, isComplete] = transport.tryEnd(rest, total - this.#past);
    const count = isTaken ? rest.length : transport.getWriteOffset() + this.#past - this.#sent;
    this.#sent += count;
    this.#context.stats.responseBytes += count;
    this.#rest = count === rest.length ? undefined : rest.subarray(count);
    if (isComplete || this.#sent === total) {
      this.#complete();
      return;
    }
    this.#backpressure ??= new Backpressure(transport, this.#context.sweep, this);
    this.#backpressure.await(count > 0);
  }

  #complete(): void {
    this.#isOver = true;
    this.#backpressure?.close();
    this.#reply.ended(this.sent);
  }

  #writeHead({ status, fields, hasBody, length }: RelayedHead): void {
    this.#begun = true;
    const block: Field[] = [];
    for (const name in fields) {
      const value = fields[name]!;
      if (OWN.has(name)) continue;
      if (typeof value === 'string') block.push([name, value]);
      else for (const each of value) block.push([name, each]);
    }
    const way = status >= 400 ? fields['cache-status'] : undefined;
    // Of a body that follows the front end says it.
    const lines = length === undefined || (hasBody && length > 0) ? '' : fieldLine('Content-Length', length);
    this.#reply.relayedHead(status, new FieldBlock(block), typeof way === 'string' ? way : cacheStatus('peer'), lines);
  }
}
