import type { Patch } from '../../virtual-file/span.js';
import type { OffsetMap } from './regions.js';

/** A patch over a run of table entries. Windows may begin and end inside entries. */
abstract class EntryPatch implements Patch {
  /**
   * @param offset absolute offset of the first entry in the object
   * @param taken bytes of an entry in the object
   * @param given bytes of an entry in the answer
   */
  constructor(
    private readonly offset: number,
    private readonly taken: number,
    private readonly given: number,
  ) {}

  sourceFrom(from: number): number {
    return this.offset + Math.floor(from / this.given) * this.taken;
  }

  sourceTo(to: number): number {
    return this.offset + Math.ceil(to / this.given) * this.taken;
  }

  apply(source: Uint8Array, from: number, to: number, target: Uint8Array): void {
    const input = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const skipped = from % this.given;
    const wanted = to - from;
    let [entry, done] = [0, 0];
    if (skipped > 0) {
      const part = this.one(input, 0).subarray(skipped, Math.min(this.given, skipped + wanted));
      target.set(part);
      entry = 1;
      done = part.length;
    }
    const whole = Math.floor((wanted - done) / this.given);
    if (whole > 0) {
      this.entries(
        input,
        entry * this.taken,
        whole,
        new DataView(target.buffer, target.byteOffset, target.byteLength),
        done,
      );
      entry += whole;
      done += whole * this.given;
    }
    if (done < wanted) target.set(this.one(input, entry * this.taken).subarray(0, wanted - done), done);
  }

  private one(input: DataView, at: number): Uint8Array {
    const bytes = new Uint8Array(this.given);
    this.entries(input, at, 1, new DataView(bytes.buffer), 0);
    return bytes;
  }

  /** Writes `count` whole entries from `at` of `input` to `to` of `output`. */
  protected abstract entries(input: DataView, at: number, count: number, output: DataView, to: number): void;
}

/** Adds a number, modulo 2^32, to one 32-bit word of each entry: `stss`, `stsc`, `ctts`. */
export class WordPatch extends EntryPatch {
  /**
   * @param size bytes of an entry: a multiple of 4
   * @param word byte of the entry at which the word stands
   * @param delta what is added to it
   */
  constructor(
    offset: number,
    private readonly size: number,
    private readonly word: number,
    private readonly delta: number,
  ) {
    super(offset, size, size);
  }

  protected override entries(input: DataView, at: number, count: number, output: DataView, to: number): void {
    const { size, word, delta } = this;
    bytesOf(output, to, count * size).set(bytesOf(input, at, count * size));
    const end = to + count * size;
    for (let from = at + word, into = to + word; into < end; from += size, into += size) {
      output.setInt32(into, (input.getInt32(from) + delta) | 0);
    }
  }
}

function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

/** Moves file offsets along with the bytes they point at: `stco`, `co64`, `saio`. */
export class OffsetPatch extends EntryPatch {
  /**
   * @param taken 4 or 8, bytes of an entry in the object
   * @param given 4 or 8, bytes of an entry in the answer, at least `taken`
   * @param map where the bytes went; must be placed before the patch is applied
   */
  constructor(
    offset: number,
    taken: number,
    given: number,
    private readonly map: OffsetMap,
  ) {
    super(offset, taken, given);
    this.#wide = taken === 8;
    this.#widen = given === 8;
  }

  readonly #wide: boolean;
  readonly #widen: boolean;

  protected override entries(input: DataView, at: number, count: number, output: DataView, to: number): void {
    const { map } = this;
    const delta = map.constant;
    if (!this.#widen && delta !== undefined) {
      addToWords(input, at, count, output, to, delta | 0);
      return;
    }
    for (let i = 0; i < count; i++) {
      const high = this.#wide ? input.getUint32(at) * 0x1_0000_0000 : 0;
      const from = high + input.getUint32(this.#wide ? at + 4 : at);
      const moved = from + (delta ?? map.delta(from));
      if (this.#widen) output.setUint32(to, Math.floor(moved / 0x1_0000_0000));
      output.setUint32(this.#widen ? to + 4 : to, moved % 0x1_0000_0000);
      at += this.#wide ? 8 : 4;
      to += this.#widen ? 8 : 4;
    }
  }
}

/** Four at a time, which saves a third of the time; this is the bulk of the work when a player reads the head of a long film. */
function addToWords(input: DataView, at: number, count: number, output: DataView, to: number, delta: number): void {
  let left = count;
  for (; left >= 4; left -= 4, at += 16, to += 16) {
    output.setInt32(to, (input.getInt32(at) + delta) | 0);
    output.setInt32(to + 4, (input.getInt32(at + 4) + delta) | 0);
    output.setInt32(to + 8, (input.getInt32(at + 8) + delta) | 0);
    output.setInt32(to + 12, (input.getInt32(at + 12) + delta) | 0);
  }
  for (; left > 0; left--, at += 4, to += 4) output.setInt32(to, (input.getInt32(at) + delta) | 0);
}

/** Entries of 4 bits from an odd one on, moved to begin with a whole byte: `stz2`, `padb`. */
export class NibblePatch implements Patch {
  /**
   * @param offset absolute offset of the byte whose low half is the first entry
   * @param end absolute offset just past the last byte that holds one of the entries
   */
  constructor(
    private readonly offset: number,
    private readonly end: number,
  ) {}

  sourceFrom(from: number): number {
    return this.offset + from;
  }

  sourceTo(to: number): number {
    return Math.min(this.end, this.offset + to + 1);
  }

  apply(source: Uint8Array, from: number, to: number, target: Uint8Array): void {
    for (let i = 0; i < to - from; i++) target[i] = ((source[i]! << 4) | ((source[i + 1] ?? 0) >> 4)) & 0xff;
  }
}
