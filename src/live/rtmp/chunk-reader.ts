import { ChunkHead } from './chunk-head.js';
import type { ChunkStream } from './chunk-stream.js';
import type { RtmpMessage } from './message.js';
import { RtmpError } from './rtmp-error.js';

/** Chunk size until a Set Chunk Size message (RTMP 1.0, section 5.4.1). */
const FIRST_CHUNK_SIZE = 128;
/** Most chunk streams of one connection; encoders use five. */
const STREAMS_MAX = 64;
/** Least bytes that are made room for as a message comes in. */
const ROOM_MIN = 4096;
/** Largest buffer that is kept for the next message. */
const SPARE_MAX = 256 * 1024;

/**
 * Puts messages together from chunks (RTMP 1.0, section 5.3), whatever pieces they come in. What one connection may
 * hold is bounded: room is made as bytes come, not as they are announced.
 */
export class ChunkReader {
  readonly #take: (message: RtmpMessage) => void;
  readonly #streams = new Map<number, ChunkStream>();
  readonly #head = new ChunkHead();
  /** Bytes that were looked at as an extended timestamp, and are none. */
  #again: Uint8Array = new Uint8Array();
  /** The chunk stream whose chunk comes in. */
  #current: ChunkStream | undefined;
  /** Bytes of that chunk that are still to come. */
  #left = 0;
  /** Room made for messages that come in. */
  #room = 0;
  #spare: Buffer | undefined;
  #isHeld = false;
  #chunkSize = FIRST_CHUNK_SIZE;
  /** Most bytes of a message; those that come in at once may have twice that. */
  messageMax: number;

  /** @param take is told of each message; its payload is valid until it returns */
  constructor(messageMax: number, take: (message: RtmpMessage) => void) {
    this.messageMax = messageMax;
    this.#take = take;
  }

  /** @throws RtmpError for sizes that the standard forbids */
  set chunkSize(size: number) {
    if (size < 1 || size > 0x7fffffff)
      throw new RtmpError('protocol', `expected a chunk size from 1 to 2^31-1, found ${size}`);
    this.#chunkSize = size;
  }

  /** Reads no further message, from within `take`, until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
  }

  /** The rest of a message on this chunk stream will not come. */
  abort(id: number): void {
    const stream = this.#streams.get(id);
    if (stream?.body === undefined) return;
    this.#room -= stream.body.length;
    stream.body = undefined;
    stream.filled = 0;
  }

  /**
   * @returns how many bytes were read: all, unless the reader is held
   * @throws RtmpError when the bytes are no chunks, or more than is allowed
   */
  read(bytes: Uint8Array): number {
    while (this.#again.length > 0 && !this.#isHeld) {
      const again = this.#again;
      this.#again = new Uint8Array();
      const taken = this.#consume(again);
      // What is left of it comes before what is looked at again within it.
      if (taken < again.length) this.#again = Buffer.concat([this.#again, again.subarray(taken)]);
    }
    let at = 0;
    while (at < bytes.length && !this.#isHeld) {
      at += this.#consume(at === 0 ? bytes : bytes.subarray(at));
      if (this.#again.length > 0 && !this.#isHeld) this.read(new Uint8Array());
    }
    return at;
  }

  /** Reads until the end, until the reader is held, or until bytes are to be read again. */
  #consume(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.#isHeld && this.#again.length === 0) {
      at = this.#current === undefined ? this.#readHead(bytes, at) : this.#readBody(bytes, at, this.#current);
    }
    return at;
  }

  #readHead(bytes: Uint8Array, start: number): number {
    const head = this.#head;
    let at = start;
    while (at < bytes.length) {
      const isWhole = head.push(bytes[at++]!, this.#streams);
      if (!isWhole) continue;
      const stream = this.#begin(head);
      this.#again = head.surplus();
      head.clear();
      this.#left = Math.min(this.#chunkSize, stream.length - stream.filled);
      this.#current = stream;
      if (this.#left === 0) this.#endChunk(stream);
      break;
    }
    return at;
  }

  /** Applies a header to its chunk stream. */
  #begin(head: ChunkHead): ChunkStream {
    const { id, format } = head;
    let stream = this.#streams.get(id);
    if (stream === undefined) {
      if (format > 1)
        throw new RtmpError('protocol', `expected a first chunk of type 0 or 1 on chunk stream ${id}, found ${format}`);
      if (this.#streams.size === STREAMS_MAX)
        throw new RtmpError('limit', `expected at most ${STREAMS_MAX} chunk streams`);
      stream = { type: 0, streamId: 0, length: 0, timestamp: 0, delta: 0, extended: false, body: undefined, filled: 0 };
      this.#streams.set(id, stream);
    }
    if (format === 3 && stream.filled > 0) return stream;
    if (stream.filled > 0) {
      throw new RtmpError(
        'protocol',
        `expected the rest of a message on chunk stream ${id}, found a header of type ${format}`,
      );
    }
    if (format < 2) {
      stream.length = head.length;
      stream.type = head.type;
    }
    if (format === 0) stream.streamId = head.streamId;
    if (format < 3) {
      stream.delta = head.time;
      stream.extended = head.isExtended;
    }
    stream.timestamp = format === 0 ? stream.delta : (stream.timestamp + stream.delta) >>> 0;
    if (stream.length > this.messageMax) {
      throw new RtmpError(
        'limit',
        `expected messages of at most ${this.messageMax} bytes, found one of ${stream.length}`,
      );
    }
    return stream;
  }

  #readBody(bytes: Uint8Array, at: number, stream: ChunkStream): number {
    const count = Math.min(this.#left, bytes.length - at);
    const body = this.#roomFor(stream, stream.filled + count);
    body.set(bytes.subarray(at, at + count), stream.filled);
    stream.filled += count;
    this.#left -= count;
    if (this.#left === 0) this.#endChunk(stream);
    return at + count;
  }

  #endChunk(stream: ChunkStream): void {
    this.#current = undefined;
    if (stream.filled < stream.length) return;
    const body = stream.body ?? EMPTY;
    const { type, timestamp, streamId, length } = stream;
    this.#room -= body.length;
    stream.body = undefined;
    stream.filled = 0;
    this.#take({ type, timestamp, streamId, payload: body.subarray(0, length) });
    if (body.length <= SPARE_MAX && body.length > 0) this.#spare = body;
  }

  /** The buffer of the message that comes in, with room for `size` bytes. */
  #roomFor(stream: ChunkStream, size: number): Buffer {
    const before = stream.body;
    if (before !== undefined && before.length >= size) return before;
    const wanted = Math.min(stream.length, Math.max(size, ROOM_MIN, 2 * (before?.length ?? 0)));
    let body = this.#spare;
    if (body === undefined || body.length < wanted) body = Buffer.allocUnsafeSlow(Math.max(wanted, size));
    else this.#spare = undefined;
    this.#room += body.length - (before?.length ?? 0);
    if (this.#room > 2 * this.messageMax + SPARE_MAX) {
      throw new RtmpError(
        'limit',
        `expected messages one after the other, found ${this.#room} bytes of unfinished ones`,
      );
    }
    before?.copy(body, 0, 0, stream.filled);
    stream.body = body;
    return body;
  }
}

const EMPTY = Buffer.alloc(0);
