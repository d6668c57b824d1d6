/**
 * AMF0 (Action Message Format 0, Adobe 2007), as far as script data of FLV uses it. Input is hostile: values are
 * counted and bounded, depth too, and nothing is believed about counts.
 */

const [NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, REFERENCE] = [0, 1, 2, 3, 5, 6, 7];
const [ECMA_ARRAY, OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING, UNSUPPORTED] = [8, 9, 10, 11, 12, 13];
const [XML, TYPED_OBJECT] = [15, 16];
const DEPTH_MAX = 16;
/** Most values that are looked at, numbers in arrays of numbers aside. */
const VALUES_MAX = 64 * 1024;

/** Bytes of one number in a strict array: its marker and an IEEE double. */
export const NUMBER_BYTES = 9;

/** A property of an object or ECMA array, by where it stands. */
export interface Amf0Property {
  readonly name: string;
  /** Offset of the length of the name. */
  readonly start: number;
  /** Offset of the marker of the value. */
  readonly value: number;
  /** Offset just past the value. */
  readonly end: number;
}

/** Values as they are decoded; dates are milliseconds, undefined and references are null. */
export type Amf0Value = number | boolean | string | null | readonly Amf0Value[] | ReadonlyMap<string, Amf0Value>;

/** Values as they are written. */
export type Amf0Input =
  | number
  | boolean
  | string
  | null
  | readonly Amf0Input[]
  | { readonly [name: string]: Amf0Input };

/** Reads AMF0 values at given offsets. Every method throws RangeError when the bytes are not that. */
export class Amf0Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset just past the value whose marker stands at `at`. */
  skip(at: number, depth = 0): number {
    switch (this.#marker(at, depth)) {
      case NUMBER:
        return this.#within(at + NUMBER_BYTES);
      case BOOLEAN:
        return this.#within(at + 2);
      case STRING:
        return this.#within(at + 3 + this.#view.getUint16(at + 1));
      case NULL:
      case UNDEFINED:
      case UNSUPPORTED:
        return at + 1;
      case REFERENCE:
        return this.#within(at + 3);
      case DATE:
        return this.#within(at + 11);
      case LONG_STRING:
      case XML:
        return this.#within(at + 5 + this.#view.getUint32(at + 1));
      case STRICT_ARRAY: {
        let next = at + 5;
        for (let left = this.#count(at); left > 0; left--) {
          next = this.#bytes[next] === NUMBER ? this.#within(next + NUMBER_BYTES) : this.skip(next, depth + 1);
        }
        return next;
      }
      default:
        return this.#properties(at, depth);
    }
  }

  /** The value whose marker stands at `at`. Names and text are UTF-8; bad sequences become U+FFFD. */
  value(at: number, depth = 0): Amf0Value {
    switch (this.#marker(at, depth)) {
      case NUMBER:
      case DATE:
        return this.#view.getFloat64(at + 1);
      case BOOLEAN:
        return this.#view.getUint8(at + 1) !== 0;
      case STRING:
        return this.#text(at + 3, this.#view.getUint16(at + 1));
      case LONG_STRING:
      case XML:
        return this.#text(at + 5, this.#view.getUint32(at + 1));
      case NULL:
      case UNDEFINED:
      case UNSUPPORTED:
      case REFERENCE:
        return null;
      case STRICT_ARRAY: {
        const items: Amf0Value[] = [];
        let next = at + 5;
        for (let left = this.#count(at); left > 0; left--) {
          items.push(this.value(next, depth + 1));
          next = this.skip(next, depth + 1);
        }
        return items;
      }
      default: {
        const map = new Map<string, Amf0Value>();
        this.#properties(at, depth, (start, length, value) => {
          map.set(this.#text(start + 2, length), this.value(value, depth + 1));
        });
        return map;
      }
    }
  }

  /** The string whose marker stands at `at`, or undefined when something else does. */
  string(at: number): string | undefined {
    return this.#view.getUint8(at) === STRING ? this.#text(at + 3, this.#view.getUint16(at + 1)) : undefined;
  }

  /** The number whose marker stands at `at`, or undefined when something else does. */
  number(at: number): number | undefined {
    return this.#view.getUint8(at) === NUMBER ? this.#view.getFloat64(at + 1) : undefined;
  }

  /**
   * Where the first of the numbers of a strict array of nothing else stands, and how many they are; undefined for any
   * other value.
   */
  numbers(at: number): { at: number; count: number } | undefined {
    if (this.#view.getUint8(at) !== STRICT_ARRAY) return undefined;
    const count = this.#count(at);
    if (count > (this.#bytes.length - at - 5) / NUMBER_BYTES) return undefined;
    for (let i = 0; i < count; i++) if (this.#bytes[at + 5 + i * NUMBER_BYTES] !== NUMBER) return undefined;
    return { at: at + 5, count };
  }

  /**
   * The properties of the object or ECMA array whose marker stands at `at`; none for another value. An end without its
   * mark is accepted where the bytes end.
   */
  properties(at: number): Amf0Property[] {
    const marker = this.#view.getUint8(at);
    const found: Amf0Property[] = [];
    if (marker !== OBJECT && marker !== ECMA_ARRAY) return found;
    this.#properties(at, 0, (start, length, value, end) => {
      found.push({ name: this.#text(start + 2, length), start, value, end });
    });
    return found;
  }

  /**
   * Passes over the properties of the object or ECMA array whose marker stands at `at`.
   * @param take is told where each name begins, its bytes, and where the value begins and ends
   * @returns offset just past the object
   */
  #properties(at: number, depth: number, take?: (start: number, length: number, value: number, end: number) => void) {
    const marker = this.#view.getUint8(at);
    let next = at + 1;
    if (marker === ECMA_ARRAY) next += 4;
    else if (marker === TYPED_OBJECT) next += 2 + this.#view.getUint16(next);
    else if (marker !== OBJECT) throw new RangeError(`AMF0 value of the unknown kind ${marker}`);
    while (depth > 0 || next < this.#bytes.length) {
      const length = this.#view.getUint16(next);
      const value = this.#within(next + 2 + length);
      if (length === 0 && this.#view.getUint8(value) === OBJECT_END) return value + 1;
      const end = this.skip(value, depth + 1);
      take?.(next, length, value, end);
      next = end;
    }
    return next;
  }

  #marker(at: number, depth: number): number {
    if (depth > DEPTH_MAX) throw new RangeError('AMF0 values are nested too deep');
    if (++this.#values > VALUES_MAX) throw new RangeError('AMF0 data has too many values');
    return this.#view.getUint8(at);
  }

  /** Number of items of a strict array, which each take a byte at least. */
  #count(at: number): number {
    const count = this.#view.getUint32(at + 1);
    if (count > this.#bytes.length - at - 5) throw new RangeError('AMF0 array is longer than its bytes');
    return count;
  }

  #text(at: number, length: number): string {
    this.#within(at + length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  #within(end: number): number {
    if (end > this.#bytes.length) throw new RangeError('AMF0 value goes on beyond its bytes');
    return end;
  }
}

/** Writes AMF0. */
export class Amf0Writer {
  readonly #parts: Uint8Array[] = [];
  /** Bytes written. */
  length = 0;

  /** What was written. */
  finish(): Uint8Array {
    return Buffer.concat(this.#parts, this.length);
  }

  /** Bytes that are AMF0 already. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  /** The name of a property; its value comes next. ASCII. */
  name(name: string): this {
    return this.raw(Buffer.from([name.length >> 8, name.length & 0xff, ...Buffer.from(name, 'latin1')]));
  }

  number(value: number): this {
    const bytes = Buffer.alloc(NUMBER_BYTES);
    bytes.writeDoubleBE(value, 1);
    return this.raw(bytes);
  }

  /** ASCII text of at most 65,535 characters. */
  string(value: string): this {
    return this.raw(Uint8Array.of(STRING)).name(value);
  }

  /** Any value, objects and strict arrays with what is in them. Text is ASCII. */
  value(value: Amf0Input): this {
    if (typeof value === 'number') return this.number(value);
    if (typeof value === 'string') return this.string(value);
    if (typeof value === 'boolean') return this.raw(Uint8Array.of(BOOLEAN, value ? 1 : 0));
    if (value === null) return this.raw(Uint8Array.of(NULL));
    if (isList(value)) {
      this.strictArray(value.length);
      for (const each of value) this.value(each);
      return this;
    }
    this.object();
    for (const [name, each] of Object.entries(value)) this.name(name).value(each);
    return this.end();
  }

  /** Begins an object; properties follow, then `end`. */
  object(): this {
    return this.raw(Uint8Array.of(OBJECT));
  }

  /** Begins an ECMA array of `count` properties; they follow, then `end`. */
  ecmaArray(count: number): this {
    return this.#counted(ECMA_ARRAY, count);
  }

  /** Begins a strict array of `count` values; they follow. */
  strictArray(count: number): this {
    return this.#counted(STRICT_ARRAY, count);
  }

  /** Ends an object or ECMA array. */
  end(): this {
    return this.raw(Uint8Array.of(0, 0, OBJECT_END));
  }

  #counted(marker: number, count: number): this {
    const bytes = Buffer.alloc(5);
    bytes[0] = marker;
    bytes.writeUInt32BE(count, 1);
    return this.raw(bytes);
  }
}

function isList(value: Amf0Input): value is readonly Amf0Input[] {
  return Array.isArray(value);
}
