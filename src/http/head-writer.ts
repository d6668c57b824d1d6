/** Bytes of heads at first; nearly all are shorter. */
const USUAL = 4096;
const ZERO = 0x30;

/**
 * Puts the head of an answer together, as the front end takes it: in memory that is used for all heads, one after the
 * other, so that a head costs none.
 */
export class HeadWriter {
  #memory = new Uint8Array(USUAL);
  /** Beginnings of the memory, by their length; made when they are first needed. */
  #beginnings: (Uint8Array | undefined)[] = new Array(USUAL + 1);
  /** What the memory begins with. */
  #standing: Uint8Array | undefined;
  #length = 0;

  /** Begins a head. @param start its first bytes, which never change */
  begin(start: Uint8Array): void {
    this.#length = start.length;
    if (start === this.#standing) return;
    this.#provide(0, start.length);
    this.#memory.set(start);
    this.#standing = start;
  }

  /** @param text a character for each octet */
  text(text: string): void {
    const memory = this.#provide(this.#length, text.length);
    let at = this.#length;
    for (let i = 0; i < text.length; i++) memory[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** @param number a whole one of at least 0, at most `Number.MAX_SAFE_INTEGER` */
  number(number: number): void {
    let digits = 1;
    for (let bound = 10; bound <= number; bound *= 10) digits++;
    const memory = this.#provide(this.#length, digits);
    this.#length += digits;
    let left = number;
    for (let at = this.#length - 1; digits > 0; digits--, at--) {
      const rest = Math.floor(left / 10);
      memory[at] = ZERO + (left - rest * 10);
      left = rest;
    }
  }

  /** The head; good until the next one begins. */
  get bytes(): Uint8Array {
    let bytes = this.#beginnings[this.#length];
    if (bytes === undefined) {
      bytes = this.#memory.subarray(0, this.#length);
      this.#beginnings[this.#length] = bytes;
    }
    return bytes;
  }

  /** The memory, with room for more bytes behind those that are kept. */
  #provide(kept: number, more: number): Uint8Array {
    const room = kept + more;
    if (room > this.#memory.length) {
      const larger = new Uint8Array(2 * room);
      larger.set(this.#memory.subarray(0, kept));
      this.#memory = larger;
      this.#beginnings = new Array(larger.length + 1);
    }
    return this.#memory;
  }
}
