import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { MeteredSource } from './metered-source.js';
import { type Reading, settle } from './reading.js';

/** Bytes of a read after a leap, and least and, unless more is asked for at once, most bytes of another. */
const LEAP = 256;
const LEAST = 2048;
const MOST = 64 * 1024;

/**
 * The bytes at hand of a walk that goes forward over a file and looks at a little here and there. A read is twice as
 * long as what was looked at of the one before, so that many small things side by side cost few reads, and few things
 * far apart few bytes. One walk, one owner; the bytes are shared, and not to be written to.
 */
export class ForwardWindow {
  /** What is at hand; `bytes[0]` is the byte at `start` of the file. */
  bytes: Uint8Array = new Uint8Array();
  start = 0;
  /** Just past what was looked at, absolute. */
  #used = 0;
  #waited = false;

  /**
   * @param long whether the walk is long: where the last read had to wait for the origin, the next one asks for as much
   *   as it can
   */
  constructor(
    private readonly source: ByteSource,
    private readonly long = false,
  ) {}

  /** Whether bytes `[offset, offset+length)` are at hand. */
  has(offset: number, length: number): boolean {
    const end = offset + length;
    if (offset < this.start || end > this.start + this.bytes.length) return false;
    if (end > this.#used) this.#used = end;
    return true;
  }

  /** Brings at least `length` bytes of the file from `offset` on; `yield*` it. Other work gets its turn. */
  *bring(offset: number, length: number): Reading<void> {
    const { source } = this;
    if (source instanceof MeteredSource && source.due) yield* source.breathe();
    const used = this.#used - this.start;
    const leaps = offset - this.#used > LEAST;
    const usual = Math.min(MOST, Math.max(leaps ? LEAP : LEAST, 2 * used));
    const wanted = this.#waited && this.long ? READ_MAX : Math.max(length, usual);
    const bytes = source.read(offset, Math.min(wanted, source.size - offset));
    this.#waited = !(bytes instanceof Uint8Array);
    this.bytes = bytes instanceof Uint8Array ? bytes : yield* settle(bytes);
    this.start = offset;
    this.#used = offset + length;
  }
}
