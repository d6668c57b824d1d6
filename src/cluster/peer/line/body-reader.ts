import type { Framing } from './answer-head.js';

/** Most octets of a chunk's size line, and of the size itself. */
const LINE_MAX = 256;
const SIZE = /^([0-9a-fA-F]{1,12})[\t ]*(;.*)?$/;

/** Finds the bytes of one body among those of its connection (RFC 9112 sections 6.2 and 7.1). */
export class BodyReader {
  /** Bytes of the body, or of the chunk at hand, that are still to come. */
  #left: number;
  readonly #isChunked: boolean;
  /** What is between chunks: the line end behind one, its size line, or the lines behind the last. */
  #between: 'size' | 'end' | 'trailer' | 'none';
  #line = '';
  isComplete = false;
  isBroken = false;
  /** Where the bytes found by the last `next` end, framing included. */
  at = 0;

  constructor(framing: Framing) {
    this.#isChunked = framing === 'chunked';
    this.#left = framing === 'chunked' ? 0 : framing;
    this.#between = this.#isChunked ? 'size' : 'none';
    this.isComplete = framing === 0;
  }

  /**
   * The next bytes of the body, from `at` on; `at` is moved behind them.
   * @returns undefined when `bytes` has none: it is at its end, or the body is complete, or broken
   */
  next(bytes: Uint8Array): Uint8Array | undefined {
    while (this.#between !== 'none' && this.at < bytes.length && !this.isComplete && !this.isBroken) {
      this.#take(bytes[this.at++]!);
    }
    if (this.#between !== 'none' || this.isComplete || this.isBroken || this.at === bytes.length) return undefined;
    const end = Math.min(bytes.length, this.at + this.#left);
    const found = bytes.subarray(this.at, end);
    this.at = end;
    this.skip(found.length);
    return found;
  }

  /** Bytes that are known to come next, all of this body. */
  get known(): number {
    return this.#between === 'none' && !this.isComplete ? this.#left : 0;
  }

  /** So many of the `known` bytes have been taken past this. */
  skip(bytes: number): void {
    this.#left -= bytes;
    if (this.#left > 0) return;
    if (this.#isChunked) this.#between = 'end';
    else this.isComplete = true;
  }

  #take(octet: number): void {
    if (octet !== 0x0a) {
      this.#line += String.fromCharCode(octet);
      this.isBroken = this.#line.length > LINE_MAX;
      return;
    }
    if (!this.#line.endsWith('\r')) {
      this.isBroken = true;
      return;
    }
    const line = this.#line.slice(0, -1);
    this.#line = '';
    if (this.#between === 'size') this.#begin(SIZE.exec(line)?.[1]);
    else if (this.#between === 'trailer') this.isComplete = line === '';
    else if (line !== '') this.isBroken = true;
    else this.#between = 'size';
  }

  #begin(size: string | undefined): void {
    if (size === undefined) {
      this.isBroken = true;
      return;
    }
    this.#left = Number.parseInt(size, 16);
    this.#between = this.#left === 0 ? 'trailer' : 'none';
  }
}
