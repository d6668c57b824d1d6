import { native } from '../../../base/native.js';
import type { Patch } from '../../../virtual-file/span.js';
import type { OffsetMap } from '../box/regions.js';
import { viewOf } from './table.js';

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
    const { taken, given } = this;
    const skipped = from % given;
    const wanted = to - from;
    let [entry, done] = [0, 0];
    if (skipped > 0) {
      const part = this.one(source, 0).subarray(skipped, Math.min(given, skipped + wanted));
      target.set(part);
      entry = 1;
      done = part.length;
    }
    const whole = Math.floor((wanted - done) / given);
    if (whole > 0) {
      const end = entry + whole;
      this.entries(source.subarray(entry * taken, end * taken), target.subarray(done, done + whole * given));
      entry = end;
      done += whole * given;
    }
    if (done < wanted) target.set(this.one(source, entry).subarray(0, wanted - done), done);
  }

  private one(source: Uint8Array, entry: number): Uint8Array {
    const { taken, given } = this;
    const bytes = new Uint8Array(given);
    this.entries(source.subarray(entry * taken, (entry + 1) * taken), bytes);
    return bytes;
  }

  /** Makes whole entries, as many as there are in both. */
  protected abstract entries(source: Uint8Array, target: Uint8Array): void;
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

  protected override entries(source: Uint8Array, target: Uint8Array): void {
    native.addToWords(source, target, this.size, this.word, this.delta >>> 0);
  }
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

  protected override entries(source: Uint8Array, target: Uint8Array): void {
    const { map } = this;
    const delta = map.constant;
    if (!this.#widen && delta !== undefined) {
      native.addToWords(source, target, 4, 0, delta >>> 0);
      return;
    }
    const input = viewOf(source);
    const output = viewOf(target);
    for (let at = 0, to = 0; to < output.byteLength; at += this.#wide ? 8 : 4, to += this.#widen ? 8 : 4) {
      const high = this.#wide ? input.getUint32(at) * 0x1_0000_0000 : 0;
      const from = high + input.getUint32(this.#wide ? at + 4 : at);
      const moved = from + (delta ?? map.delta(from));
      if (this.#widen) output.setUint32(to, Math.floor(moved / 0x1_0000_0000));
      output.setUint32(this.#widen ? to + 4 : to, moved % 0x1_0000_0000);
    }
  }
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
