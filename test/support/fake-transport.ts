import assert from 'node:assert/strict';
import type { Transport } from '../../src/delivery/transport.js';

/** Bytes that fit the buffer of a cork. */
const CORK_BUFFER = 16 * 1024;
/** Bytes around a chunk of chunked coding. */
const FRAMING = 8;

/**
 * A socket in memory that takes as many bytes as there is room for, and holds its user to the rules of `Transport`:
 * writes inside cork or the writable handler only. As the front end does, it takes what fits the cork's buffer, and
 * buffers what the socket refuses at the cork's end.
 */
export class FakeTransport implements Transport {
  readonly chunks: Buffer[] = [];
  /** Bytes that were taken, those in the buffers among them. */
  taken = 0;
  /** Bytes that the socket has refused at the end of a cork, or of a chunked write. */
  buffered = 0;
  complete = false;
  closed = false;
  rearmed = 0;
  /** Called within `close`, as the front end's abort handler is. */
  aborted: () => void = () => {};
  #corked: number | undefined;
  #writable: (() => boolean) | undefined;
  #refused = false;
  #mayWrite = false;
  #total: number | undefined;

  /** @param room bytes that the socket takes before it refuses more */
  constructor(public room = Infinity) {}

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  tryEnd(chunk: Uint8Array, total: number): [boolean, boolean] {
    this.#alive(true);
    assert.ok(chunk.length > 0, 'an empty chunk');
    assert.equal(this.#total ?? total, total, 'another total');
    this.#total = total;
    const count = this.#take(chunk);
    assert.ok(this.taken <= total, 'more than the total');
    this.complete = this.taken === total;
    return [count === chunk.length, this.complete];
  }

  write(chunk: Uint8Array): boolean {
    this.#alive(true);
    const count = this.#take(chunk, FRAMING);
    if (count === chunk.length) return true;
    this.buffered += chunk.length - count;
    assert.ok(this.buffered <= 2 * CORK_BUFFER, 'much is buffered');
    this.chunks.push(Buffer.from(chunk.subarray(count)));
    this.taken += chunk.length - count;
    return false;
  }

  end(): void {
    this.#alive(true);
    this.complete = true;
  }

  getWriteOffset(): number {
    this.#alive();
    return this.taken;
  }

  cork(turn: () => void): void {
    this.#alive();
    const outer = this.#mayWrite;
    this.#corked = 0;
    this.#mayWrite = true;
    turn();
    this.#mayWrite = outer;
    this.buffered += this.#corked ?? 0;
    this.#corked = undefined;
    this.#flush();
  }

  pause(): void {
    this.#alive();
  }

  resume(): void {
    this.#alive();
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
    this.#mayWrite = true;
    this.#writable();
    this.#mayWrite = false;
  }

  /** Bytes of a chunk that are taken. */
  #take(chunk: Uint8Array, framing = 0): number {
    let count = 0;
    if (this.#flush()) {
      if (this.#corked !== undefined && this.#corked + chunk.length + framing <= CORK_BUFFER) {
        this.#corked += chunk.length;
        count = chunk.length;
      } else {
        this.buffered += this.#corked ?? 0;
        this.#corked = undefined;
        if (this.#flush()) count = Math.min(chunk.length, this.room);
        this.room -= count;
        if (count < chunk.length) this.#refused = true;
      }
    }
    this.chunks.push(Buffer.from(chunk.subarray(0, count)));
    this.taken += count;
    return count;
  }

  /** Gives the socket what is buffered; true when nothing is left. */
  #flush(): boolean {
    const count = Math.min(this.buffered, this.room);
    this.buffered -= count;
    this.room -= count;
    if (this.buffered > 0) this.#refused = true;
    return this.buffered === 0;
  }

  #alive(writes = false): void {
    assert.ok(!this.complete && !this.closed, 'used after its end');
    assert.ok(!writes || this.#mayWrite, 'a write out of turn');
  }
}
