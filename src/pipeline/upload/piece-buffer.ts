import { native } from '../../base/native.js';

/** Bytes of the checksum that stands behind the bytes of each piece: CRC32C (RFC 3720), big-endian. */
export const CHECKSUM_SIZE = 4;

/** Bytes of one piece as they come, whose checksum is made meanwhile. */
export class PieceBuffer {
  readonly #bytes: Buffer;
  #checksum = 0;
  #length = 0;

  /** @param size most bytes of a piece */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size + CHECKSUM_SIZE);
  }

  /** Bytes that it holds. */
  get length(): number {
    return this.#length;
  }

  /** Copies bytes in, behind those that it holds. */
  add(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#checksum = native.crc32c(this.#checksum, bytes);
    this.#length += bytes.length;
  }

  /** The piece and its checksum, as they are stored; nothing may be added until `clear`. */
  seal(): Buffer {
    const end = this.#bytes.writeUInt32BE(this.#checksum, this.#length);
    return this.#bytes.subarray(0, end);
  }

  /** Begins another piece in the same memory. */
  clear(): void {
    this.#checksum = 0;
    this.#length = 0;
  }
}

/** The bytes of a piece of `length` that was stored; undefined when they are not what was sealed. */
export function unsealed(stored: Buffer, length: number): Buffer | undefined {
  if (stored.length !== length + CHECKSUM_SIZE) return undefined;
  const bytes = stored.subarray(0, length);
  return native.crc32c(0, bytes) === stored.readUInt32BE(length) ? bytes : undefined;
}
