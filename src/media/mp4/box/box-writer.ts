/**
 * Writes boxes (ISO/IEC 14496-12 section 4.2) into one growing buffer. The sizes of boxes are filled in when they are
 * closed; bytes that will stand in the file but not in this buffer (source and patched spans) are told by `skip` and
 * count for the boxes that are open.
 */
export class BoxWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  #skipped = 0;

  /** @param capacity bytes to begin with */
  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Bytes written and skipped: where in the file the next byte will stand, counted from this writer's first. */
  get position(): number {
    return this.#length + this.#skipped;
  }

  /** Forgets everything and keeps the buffer. */
  reset(): void {
    this.#length = 0;
    this.#skipped = 0;
  }

  /** Begins a box with a 32-bit size; what is returned must be given to `close`. */
  open(type: string): BoxMark {
    const mark = { at: this.#length, position: this.position };
    this.u32(0);
    this.fourcc(type);
    return mark;
  }

  /** Begins a full box. */
  openFull(type: string, version: number, flags: number): BoxMark {
    const mark = this.open(type);
    this.u32(version * 0x100_0000 + flags);
    return mark;
  }

  /**
   * Ends the box: its size is what was written and skipped since `open`. The caller sees to it that this is below 4
   * GiB.
   */
  close(mark: BoxMark): void {
    this.#view.setUint32(mark.at, this.position - mark.position);
  }

  /** Writes `value` over the four bytes (or eight, when `wide`) that were written at `at`. */
  offsetAt(at: number, value: number, wide: boolean): void {
    if (wide) this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(wide ? at + 4 : at, value % 0x1_0000_0000);
  }

  /** Writes `bytes` over as many that were written at `at`. */
  bytesAt(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at);
  }

  /** `length` bytes come from elsewhere at this place. */
  skip(length: number): void {
    this.#skipped += length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** @param value a whole number from 0 to 2^53 - 1 */
  u64(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#length, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.#length + 4, value % 0x1_0000_0000);
    this.#length += 8;
  }

  /** @param value a whole number from -(2^53 - 1) to 2^53 - 1, as two's complement */
  i64(value: number): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.#length, BigInt(value));
    this.#length += 8;
  }

  fourcc(type: string): void {
    this.#reserve(4);
    for (let i = 0; i < 4; i++) this.#bytes[this.#length++] = type.charCodeAt(i);
  }

  zeros(count: number): void {
    this.#reserve(count);
    this.#bytes.fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A copy of everything written, which the writer does not touch again. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Where a box was opened: in the writer's bytes and in the file. */
export interface BoxMark {
  readonly at: number;
  readonly position: number;
}
