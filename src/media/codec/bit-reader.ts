/**
 * Reads bits of codec configurations, the most significant first. Past the end all bits are 0 and `ended` is true, so
 * that a parser looks once, when it is done, and never at every field.
 */
export class BitReader {
  #at = 0;
  readonly #end: number;

  constructor(private readonly bytes: Uint8Array) {
    this.#end = bytes.length * 8;
  }

  /** Whether more was read than there is. */
  get ended(): boolean {
    return this.#at > this.#end;
  }

  /** Bits that are left; never below 0. */
  get left(): number {
    return Math.max(0, this.#end - this.#at);
  }

  /** @param count 0 to 32 */
  bits(count: number): number {
    let value = 0;
    for (let left = count; left > 0; ) {
      const inByte = 8 - (this.#at & 7);
      const taken = Math.min(inByte, left);
      const byte = this.bytes[this.#at >> 3] ?? 0;
      value = value * 2 ** taken + ((byte >> (inByte - taken)) & (2 ** taken - 1));
      this.#at += taken;
      left -= taken;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** Goes on to the next whole byte. */
  align(): void {
    this.#at = (this.#at + 7) & ~7;
  }

  /** An unsigned Exp-Golomb code, ue(v) (ISO/IEC 14496-10 section 9.1); at most 2^32 - 2. */
  ue(): number {
    let zeros = 0;
    while (!this.flag()) if (this.ended || ++zeros === 32) return 0;
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** A signed Exp-Golomb code, se(v). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}
