import type { FrontResponse } from '../front-end.js';
import type { SendBudget, Waiting } from './send-budget.js';

/** Bytes of one write to the connection, after which it can be told that they are gone. */
const PIECE = 64 * 1024;

/** A head as its fields were written. */
export interface NodeHead {
  readonly status: number;
  readonly reason: string;
  /** Names and values by turns. */
  readonly lines: string[];
}

/** What an answer tells its connection. */
export interface AnswerEvents {
  /** The answer is complete, but not all of it has been taken yet, or, when it is negative, that has ended. */
  waiting(change: number): void;
  /** The connection is free for another. */
  over(): void;
  /** Whether the connection is to be closed after an answer of this status. */
  isLast(status: number): boolean;
}

/**
 * An answer over a stream of Node, which buffers whatever it is given: so it is given no more than the connection's
 * budget allows. Chunks are copied, since Node goes on with them after the call.
 */
export abstract class NodeResponse implements FrontResponse, Waiting {
  readonly #address: string;
  readonly #budget: SendBudget;
  protected readonly events: AnswerEvents;
  #head = '200 OK';
  #hasHead = false;
  /** Bytes of the body that have been given to Node. */
  #offset = 0;
  #held = 0;
  #isRefused = false;
  #isComplete = false;
  #isOver = false;
  #aborted: (() => void) | undefined;
  #writable: (() => boolean) | undefined;

  /** @param address of the client, as text */
  constructor(address: string, budget: SendBudget, events: AnswerEvents) {
    this.#address = address;
    this.#budget = budget;
    this.events = events;
  }

  protected abstract sendHead(head: NodeHead, hasBody: boolean): void;
  protected abstract send(bytes: Uint8Array, taken: () => void): void;
  protected abstract finish(): void;
  protected abstract destroy(): void;
  abstract cork(turn: () => void): void;

  writeStatus(head: Uint8Array): void {
    this.#head = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');
  }

  tryEnd(chunk: Uint8Array, total: number): [taken: boolean, complete: boolean] {
    if (this.#isComplete || this.#isOver) return [true, true];
    this.#begin(total, true);
    const count = Math.min(chunk.length, this.#budget.room);
    this.#give(count === chunk.length ? chunk : chunk.subarray(0, count));
    this.#offset += count;
    if (this.#offset === total) {
      this.#complete();
      return [true, true];
    }
    if (count < chunk.length) this.#refuse();
    return [count === chunk.length, false];
  }

  getWriteOffset(): number {
    return this.#offset;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isOver) return false;
    this.#begin(undefined, true);
    this.#give(chunk);
    this.#offset += chunk.length;
    if (this.#budget.room > 0) return true;
    this.#refuse();
    return false;
  }

  end(body?: Uint8Array): void {
    if (this.#isComplete || this.#isOver) return;
    if (body !== undefined) {
      this.#begin(body.length, body.length > 0);
      this.#give(body);
    }
    this.#complete();
  }

  endWithoutBody(): void {
    this.#begin(undefined, false);
    this.#complete();
  }

  onAborted(handler: () => void): void {
    this.#aborted = handler;
  }

  onWritable(handler: () => boolean): void {
    this.#writable = handler;
  }

  /** Node has no timer that it could arm. */
  pause(): void {}
  resume(): void {}

  getRemoteAddressAsText(): ArrayBuffer {
    return Uint8Array.from(Buffer.from(this.#address, 'latin1')).buffer;
  }

  close(): void {
    // First, so that nothing is answered behind it.
    this.destroy();
    this.gone();
  }

  roomy(): void {
    if (this.#isOver || !this.#isRefused) return;
    this.#isRefused = false;
    this.cork(() => this.#writable?.());
  }

  /** The connection goes on by messages: nothing is told of it any more. */
  switched(): void {
    this.#isOver = true;
    this.#budget.forget(this);
  }

  /** The stream has ended: well, or because the client has left, or because the connection was cut. */
  protected gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#budget.forget(this);
    const held = this.#held;
    this.#held = 0;
    if (!this.#isComplete) this.#aborted?.();
    this.#budget.free(held);
    this.events.over();
    // Not before: whoever waits for the end of all answers waits for one that begins with it, too.
    if (this.#isComplete) this.events.waiting(-1);
  }

  #begin(length: number | undefined, hasBody: boolean): void {
    if (this.#hasHead) return;
    this.#hasHead = true;
    const [status = '', ...fields] = this.#head.split('\r\n');
    const lines: string[] = [];
    for (const line of fields) {
      const colon = line.indexOf(':');
      if (colon > 0) lines.push(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    if (length !== undefined) lines.push('Content-Length', String(length));
    const space = status.indexOf(' ');
    this.sendHead({ status: Number(status.slice(0, space)), reason: status.slice(space + 1), lines }, hasBody);
  }

  #give(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = Buffer.from(bytes.subarray(at, at + PIECE));
      this.#held += piece.length;
      this.#budget.hold(piece.length);
      this.send(piece, () => {
        if (this.#isOver) return;
        this.#held -= piece.length;
        this.#budget.free(piece.length);
      });
    }
  }

  #refuse(): void {
    this.#isRefused = true;
    this.#budget.wait(this);
  }

  #complete(): void {
    this.#isComplete = true;
    this.events.waiting(1);
    this.finish();
  }
}
