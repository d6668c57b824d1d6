import { createHash, type Hash } from 'node:crypto';

/** Bytes of the SHA-256 that stands behind the bytes of each piece. */
export const DIGEST_SIZE = 32;

/** Bytes of one piece as they come, whose digest is made meanwhile. */
export class PieceBuffer {
  readonly #bytes: Buffer;
  #hash: Hash = createHash('sha256');
  #length = 0;

  /** @param size most bytes of a piece */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size + DIGEST_SIZE);
  }

  /** Bytes that it holds. */
  get length(): number {
    return this.#length;
  }

  /** Copies bytes in, behind those that it holds. */
  add(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** The piece and its digest, as they are stored; nothing may be added until `clear`. */
  seal(): Buffer {
    this.#hash.digest().copy(this.#bytes, this.#length);
    return this.#bytes.subarray(0, this.#length + DIGEST_SIZE);
  }

  /** Begins another piece in the same memory. */
  clear(): void {
    this.#hash = createHash('sha256');
    this.#length = 0;
  }
}
