/**
 * Compiled indexes as bytes: little-endian fixed fields, and rows of rising whole numbers as LEB128 differences (about
 * three bytes for a file position, two for a time).
 */

/** Writes an index. Grows as needed. */
export class IndexWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** What was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  f64(value: number): this {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** Bytes with their number before them. */
  bytes(value: Uint8Array): this {
    this.u32(value.length).#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Latin-1 text of less than 256 characters. */
  text(value: string): this {
    this.u8(value.length);
    for (let i = 0; i < value.length; i++) this.u8(value.charCodeAt(i) & 0xff);
    return this;
  }

  /** Whole numbers from 0 to 2^53-1, none less than the one before it, with their number before them. */
  rising(values: ArrayLike<number>): this {
    this.u32(values.length);
    let last = 0;
    for (let i = 0; i < values.length; i++) {
      this.#leb128(values[i]! - last);
      last = values[i]!;
    }
    return this;
  }

  /** Whole numbers from -2^50 to 2^51 in any order, with their number before them. */
  row(values: ArrayLike<number>): this {
    this.u32(values.length);
    let last = 0;
    for (let i = 0; i < values.length; i++) {
      const step = values[i]! - last;
      this.#leb128(step >= 0 ? step * 2 : -step * 2 - 1);
      last = values[i]!;
    }
    return this;
  }

  #leb128(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * Reads what `IndexWriter` wrote, out of bytes that may be anything. Every method throws RangeError when they can't be
 * that.
 */
export class IndexReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws RangeError when bytes are left over */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('the index is longer than expected');
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** A whole number `0 <= value <= max`. */
  whole(max: number): number {
    const value = this.f64();
    if (!(Number.isInteger(value) && value >= 0 && value <= max))
      throw new RangeError('a number of the index is out of bounds');
    return value;
  }

  /** A copy of at most `max` bytes. */
  bytes(max: number): Uint8Array {
    const length = this.u32();
    if (length > max || length > this.#bytes.length - this.#at)
      throw new RangeError('a field of the index is too long');
    // Not `slice`, which gives a view of the same bytes when the index comes in a Buffer.
    const value = new Uint8Array(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return value;
  }

  text(): string {
    const length = this.u8();
    let value = '';
    for (let i = 0; i < length; i++) value += String.fromCharCode(this.u8());
    return value;
  }

  /**
   * A row of whole numbers, each at most `limit` and none less than the one before it.
   * @param strictly whether equal neighbours are refused as well
   */
  rising(limit: number, strictly: boolean): Float64Array {
    const values = this.#emptyRow();
    let last = 0;
    for (let i = 0; i < values.length; i++) {
      const step = this.#leb128();
      if (strictly && step === 0 && i > 0) throw new RangeError('a row of the index does not rise');
      last += step;
      if (last > limit) throw new RangeError('a row of the index is out of bounds');
      values[i] = last;
    }
    return values;
  }

  /** A row of whole numbers in any order, each at least `least` and at most `limit`. */
  row(limit: number, least = 0): Float64Array {
    const values = this.#emptyRow();
    let last = 0;
    for (let i = 0; i < values.length; i++) {
      const step = this.#leb128();
      last += step % 2 === 0 ? step / 2 : -(step + 1) / 2;
      if (!(last >= least && last <= limit)) throw new RangeError('a row of the index is out of bounds');
      values[i] = last;
    }
    return values;
  }

  /** For as many numbers as come next; each takes at least a byte. */
  #emptyRow(): Float64Array {
    const count = this.u32();
    if (count > this.#bytes.length - this.#at) throw new RangeError('a row of the index is too long');
    return new Float64Array(count);
  }

  #leb128(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number of the index has no end');
  }
}
