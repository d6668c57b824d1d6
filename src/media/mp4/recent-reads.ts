import type { ByteSource } from '../byte-source.js';

/** Reads kept. */
const SLOTS = 16;

/**
 * A source that remembers its last reads, for a plan that looks at the same few table entries again and again. Lives as long as the plan.
 * What it returns is shared: not to be written to.
 */
export class RecentReads implements ByteSource {
  readonly size: number;
  readonly #offsets: number[] = [];
  readonly #bytes: Uint8Array[] = [];
  #next = 0;

  constructor(private readonly source: ByteSource) {
    this.size = source.size;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    for (let slot = 0; slot < this.#offsets.length; slot++) {
      const skipped = offset - this.#offsets[slot]!;
      const bytes = this.#bytes[slot]!;
      if (skipped >= 0 && skipped + length <= bytes.length) return bytes.subarray(skipped, skipped + length);
    }
    const bytes = this.source.read(offset, length);
    if (bytes instanceof Uint8Array) return this.#keep(offset, bytes);
    return bytes.then(read => this.#keep(offset, read));
  }

  #keep(offset: number, bytes: Uint8Array): Uint8Array {
    this.#offsets[this.#next] = offset;
    this.#bytes[this.#next] = bytes;
    this.#next = (this.#next + 1) % SLOTS;
    return bytes;
  }
}
