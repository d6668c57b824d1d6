import assert from 'node:assert/strict';
import type { Transport } from '../../src/delivery/transport.js';

/** A socket in memory that takes as many bytes as `room` allows, and holds its user to the rules of `Transport`. */
export class FakeTransport implements Transport {
  readonly chunks: Buffer[] = [];
  taken = 0;
  complete = false;
  closed = false;
  rearmed = 0;
  paused = false;
  /** Called within `close`, as the front end's abort handler is. */
  aborted: () => void = () => {};
  #writable: (() => boolean) | undefined;
  #refused = false;
  #total: number | undefined;

  /** @param room bytes that the socket takes before it refuses more */
  constructor(public room = Infinity) {}

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  tryEnd(chunk: Uint8Array, total: number): [boolean, boolean] {
    this.#alive();
    assert.ok(chunk.length > 0, 'an empty chunk');
    assert.equal(this.#total ?? total, total, 'another total');
    this.#total = total;
    const count = this.#take(chunk);
    assert.ok(this.taken <= total, 'more than the total');
    this.complete = this.taken === total;
    return [count === chunk.length, this.complete];
  }

  write(chunk: Uint8Array): boolean {
    this.#alive();
    const count = this.#take(chunk);
    if (count < chunk.length) {
      this.chunks.push(Buffer.from(chunk.subarray(count)));
      this.taken += chunk.length - count;
    }
    return count === chunk.length;
  }

  end(): void {
    this.#alive();
    this.complete = true;
  }

  getWriteOffset(): number {
    this.#alive();
    return this.taken;
  }

  cork(turn: () => void): void {
    this.#alive();
    const before = this.taken;
    turn();
    // What is written in a cork may be buffered without a word: good for the head and what follows it, but no more.
    if (before > 0) assert.equal(this.taken, before, 'body bytes in a later cork');
  }

  pause(): void {
    this.#alive();
    this.paused = true;
  }

  resume(): void {
    this.#alive();
    this.paused = false;
    this.rearmed++;
  }

  close(): void {
    this.#alive();
    this.closed = true;
    this.aborted();
  }

  onWritable(handler: () => boolean): void {
    assert.equal(this.#writable, undefined, 'registered twice');
    this.#writable = handler;
  }

  /** The socket can take `room` bytes more; its user is told when it had refused some. */
  drain(room: number): void {
    this.room = room;
    if (!this.#refused || this.complete || this.closed) return;
    this.#refused = false;
    assert.ok(this.#writable, 'bytes were refused, and nobody waits for room');
    this.#writable();
  }

  #take(chunk: Uint8Array): number {
    const count = Math.min(chunk.length, this.room);
    this.chunks.push(Buffer.from(chunk.subarray(0, count)));
    this.room -= count;
    this.taken += count;
    this.#refused = count < chunk.length;
    return count;
  }

  #alive(): void {
    assert.ok(!this.complete && !this.closed, 'used after its end');
  }
}
