import type { ByteSource } from '../../../base/byte-source.js';
import { MeteredSource } from '../../io/metered-source.js';
import { type Reading, settle } from '../../io/reading.js';

/** Reads kept. */
const SLOTS = 16;

/** Ends a lookup that needs bytes which are not at hand; seen by nobody but `lookUp`. */
class Absent {
  /** @param arrival settles when they are */
  constructor(readonly arrival: Promise<unknown>) {
    // Whoever waits hears of it; nobody waits when the lookup fails for another reason.
    arrival.catch(() => {});
  }
}

/**
 * The bytes of an object for lookups in its tables, which look at the same few entries again and again. What `read`
 * returns is shared: not to be written to.
 */
export class TableBytes {
  /** Bytes of the object. */
  readonly size: number;
  readonly #offsets: number[] = [];
  readonly #reads: Uint8Array[] = [];
  #next = 0;
  /** Reads that were waited for. They are kept, so that each wait brings the lookup further. */
  readonly #arrived: { readonly offset: number; readonly bytes: Uint8Array }[] = [];

  constructor(private readonly source: ByteSource) {
    this.size = source.size;
  }

  /**
   * Exactly `length` bytes from `offset`. To be called within `lookUp` only, which sees to it that they are at hand.
   */
  read(offset: number, length: number): Uint8Array {
    for (let slot = 0; slot < this.#offsets.length; slot++) {
      const skipped = offset - this.#offsets[slot]!;
      const bytes = this.#reads[slot]!;
      if (skipped >= 0 && skipped + length <= bytes.length) return bytes.subarray(skipped, skipped + length);
    }
    const arrived = this.#arrived.find(read => read.offset === offset && read.bytes.length === length);
    const bytes = arrived?.bytes ?? this.source.read(offset, length);
    if (!(bytes instanceof Uint8Array))
      throw new Absent(bytes.then(read => this.#arrived.push({ offset, bytes: read })));
    this.#offsets[this.#next] = offset;
    this.#reads[this.#next] = bytes;
    this.#next = (this.#next + 1) % SLOTS;
    return bytes;
  }
}

/**
 * Makes a lookup: at once when all bytes it reads are at hand. Where some are not, they are waited for and it is made
 * again, so it must have no effect but its result.
 */
export function* lookUp<T>(source: ByteSource, lookup: (bytes: TableBytes) => T): Reading<T> {
  const bytes = new TableBytes(source);
  for (;;) {
    if (source instanceof MeteredSource) yield* source.breathe();
    let arrival: Promise<unknown>;
    try {
      return lookup(bytes);
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      ({ arrival } = error);
    }
    yield* settle(arrival);
  }
}

/** `items.map(map)` within a lookup; bytes that several of the items need are waited for at the same time. */
export function mapTogether<T, U>(items: readonly T[], map: (item: T) => U): U[] {
  const results: U[] = [];
  const arrivals: Promise<unknown>[] = [];
  for (const item of items) {
    try {
      results.push(map(item));
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      arrivals.push(error.arrival);
    }
  }
  if (arrivals.length > 0) throw new Absent(Promise.all(arrivals));
  return results;
}
