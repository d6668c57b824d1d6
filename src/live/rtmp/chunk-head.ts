import type { ChunkStream } from './chunk-stream.js';

/** Bytes of the message header behind the basic header, by type (RTMP 1.0, section 5.3.1.2). */
const MESSAGE_HEADER = [11, 7, 3, 0];
/** A timestamp field that says that the timestamp follows in 32 bits. */
const EXTENDED = 0xffffff;

/**
 * The header of a chunk, as its bytes come in.
 *
 * Behind a header of type 3 senders disagree: some repeat an extended timestamp there, as the standard says, some
 * don't, and some that do so write the message's timestamp in place of the delta. So the next bytes are taken for one
 * as long as they are what it would be, and are given back when they turn out to be none.
 */
export class ChunkHead {
  readonly #bytes = new Uint8Array(3 + 11 + 4);
  #count = 0;
  /** Bytes of the basic header. */
  #basic = 0;
  /** Bytes at the end that do not belong to the header. */
  #surplus = 0;
  /** What the extended timestamp behind a type 3 may be. */
  #expected: readonly number[] = [];

  /** 0 to 3. */
  get format(): number {
    return this.#bytes[0]! >> 6;
  }

  /** Number of the chunk stream. */
  get id(): number {
    const [first = 0, second = 0, third = 0] = this.#bytes;
    const low = first & 0x3f;
    return low > 1 ? low : 64 + second + (low === 1 ? third * 256 : 0);
  }

  /** Timestamp or delta, milliseconds; for types 0, 1 and 2. */
  get time(): number {
    return this.isExtended
      ? u32(this.#bytes, this.#basic + MESSAGE_HEADER[this.format]!)
      : u24(this.#bytes, this.#basic);
  }

  /** Whether it has an extended timestamp; for types 0, 1 and 2. */
  get isExtended(): boolean {
    return u24(this.#bytes, this.#basic) === EXTENDED;
  }

  /** Bytes of the message; for types 0 and 1, as the next two. */
  get length(): number {
    return u24(this.#bytes, this.#basic + 3);
  }

  get type(): number {
    return this.#bytes[this.#basic + 6]!;
  }

  /** Number of the message stream, little-endian; for type 0. */
  get streamId(): number {
    const at = this.#basic + 7;
    const [a, b, c, d] = this.#bytes.subarray(at, at + 4);
    return ((d! << 24) | (c! << 16) | (b! << 8) | a!) >>> 0;
  }

  /** @returns true when the header is whole */
  push(byte: number, streams: ReadonlyMap<number, ChunkStream>): boolean {
    this.#bytes[this.#count++] = byte;
    if (this.#count === 1) this.#basic = [2, 3][byte & 0x3f] ?? 1;
    if (this.#count < this.#basic) return false;
    if (this.format === 3) return this.#isWholeType3(streams);
    const size = this.#basic + MESSAGE_HEADER[this.format]!;
    if (this.#count < size) return false;
    return this.#count === size + (this.isExtended ? 4 : 0);
  }

  #isWholeType3(streams: ReadonlyMap<number, ChunkStream>): boolean {
    const seen = this.#count - this.#basic;
    if (seen === 0) {
      const stream = streams.get(this.id);
      this.#expected = stream?.extended ? [stream.delta, timestampOf(stream)] : [];
      return this.#expected.length === 0;
    }
    const found = this.#bytes.subarray(this.#basic, this.#count);
    this.#expected = this.#expected.filter(value => found[seen - 1] === ((value >>> (8 * (4 - seen))) & 0xff));
    if (this.#expected.length > 0) return seen === 4;
    this.#surplus = seen;
    return true;
  }

  /** Bytes that were pushed and belong to what follows the header. */
  surplus(): Uint8Array {
    return this.#surplus === 0 ? NONE : this.#bytes.slice(this.#count - this.#surplus, this.#count);
  }

  clear(): void {
    this.#count = 0;
    this.#surplus = 0;
  }
}

const NONE = new Uint8Array();

/** The timestamp of the message that a chunk of type 3 is part of, or begins. */
function timestampOf({ filled, timestamp, delta }: ChunkStream): number {
  return filled > 0 ? timestamp : (timestamp + delta) >>> 0;
}

function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function u32(bytes: Uint8Array, at: number): number {
  return u24(bytes, at) * 256 + bytes[at + 3]!;
}
