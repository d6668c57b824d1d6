/** Most bytes that are compared. */
const OVERLAP = 4096;
/** Fewest different values among them: padding is alike in all files. */
const VALUES_MIN = 32;

/**
 * The last bytes of a body that has nothing else to tell versions by: what continues it must begin by repeating them.
 */
export class Overlap {
  #bytes: Uint8Array = new Uint8Array(0);

  /** The next bytes of the body. */
  push(chunk: Uint8Array): void {
    const kept = Math.max(0, Math.min(this.#bytes.length, OVERLAP - chunk.length));
    const fresh = chunk.subarray(Math.max(0, chunk.length - OVERLAP));
    const bytes = new Uint8Array(kept + fresh.length);
    bytes.set(this.#bytes.subarray(this.#bytes.length - kept));
    bytes.set(fresh, kept);
    this.#bytes = bytes;
  }

  /** Bytes that a continuation has to repeat. */
  get length(): number {
    return this.#bytes.length;
  }

  /** True when a repetition proves anything. */
  get tells(): boolean {
    return new Set(this.#bytes).size >= VALUES_MIN;
  }

  /**
   * True when `chunk` repeats what it has of the overlap.
   * @param left bytes from the chunk's first to the end of the overlap
   */
  repeats(chunk: Uint8Array, left: number): boolean {
    const skipped = Math.max(0, left - this.#bytes.length);
    const at = this.#bytes.length - left + skipped;
    const found = chunk.subarray(skipped, left);
    return found.length === 0 || Buffer.compare(found, this.#bytes.subarray(at, at + found.length)) === 0;
  }
}
