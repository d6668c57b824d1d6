import fc from 'fast-check';
import { gathered } from '../../src/virtual-file/gathered.js';
import { sectioned } from '../../src/virtual-file/sections.js';
import { lengthOf } from '../../src/virtual-file/slice.js';
import { literal, type Patch, type PatchedSpan, type Span, source } from '../../src/virtual-file/span.js';

/**
 * Adds `delta` to big-endian numbers of `inBytes` and writes them with `outBytes`, as chunk offsets are patched and
 * widened.
 */
class AddPatch implements Patch {
  constructor(
    readonly offset: number,
    readonly inBytes: number,
    readonly outBytes: number,
    readonly delta: number,
  ) {}

  sourceFrom(from: number): number {
    return this.offset + Math.floor(from / this.outBytes) * this.inBytes;
  }

  sourceTo(to: number): number {
    return this.offset + Math.ceil(to / this.outBytes) * this.inBytes;
  }

  apply(bytes: Uint8Array, from: number, to: number, target: Uint8Array): void {
    const first = Math.floor(from / this.outBytes);
    for (let at = from; at < to; at++) {
      const entry = (Math.floor(at / this.outBytes) - first) * this.inBytes;
      let value = 0n;
      for (let i = 0; i < this.inBytes; i++) value = (value << 8n) | BigInt(bytes[entry + i]!);
      const shift = BigInt(8 * (this.outBytes - 1 - (at % this.outBytes)));
      target[at - from] = Number(((value + BigInt(this.delta)) >> shift) & 0xffn);
    }
  }
}

/** A patched span over `entries` numbers at `offset`. */
export function addPatch(
  offset: number,
  entries: number,
  inBytes: number,
  outBytes: number,
  delta: number,
): PatchedSpan {
  return { kind: 'patched', length: entries * outBytes, patch: new AddPatch(offset, inBytes, outBytes, delta) };
}

function one(span: Span): Span[] {
  return [span];
}

/**
 * The bytes that a list of spans over an object stands for, worked out span by span without any of the code under test.
 */
export function wholeOf(spans: readonly Span[], object: Uint8Array): Buffer {
  return Buffer.concat(
    spans.map(span => {
      if (span.kind === 'gathered') {
        const pieces = Array.from(span.offsets, (offset, i) =>
          object.subarray(offset, offset + span.begins[i + 1]! - span.begins[i]!),
        );
        return Buffer.concat(pieces).subarray(span.from, span.from + span.length);
      }
      if (span.kind === 'sectioned') {
        return wholeOf(sections.get(span.make)!.flat(), object).subarray(span.from, span.from + span.length);
      }
      if (span.kind === 'literal') return Buffer.from(span.bytes);
      if (span.kind === 'source') return Buffer.from(object.subarray(span.offset, span.offset + span.length));
      const out = Buffer.alloc(span.length);
      span.patch.apply(
        object.subarray(span.patch.sourceFrom(0), span.patch.sourceTo(span.length)),
        0,
        span.length,
        out,
      );
      return out;
    }),
  );
}

/** What the sections are made of that `sectionsOf` has made. */
const sections = new WeakMap<object, readonly (readonly Span[])[]>();

/**
 * A span of sections, each at least a byte.
 * @param later whether making section `i` takes a promise
 */
export function sectionsOf(lists: readonly (readonly Span[])[], later: (i: number) => boolean): Span {
  const begins = new Float64Array(lists.length + 1);
  for (const [i, list] of lists.entries()) begins[i + 1] = begins[i]! + lengthOf(list);
  const span = sectioned(begins, i => (later(i) ? Promise.resolve(lists[i]!) : lists[i]!));
  sections.set(span.make, lists);
  return span;
}

/** Gathered spans, and source spans where pieces leave nothing to gather, of at least a byte in all. */
export function pieceLists(size: number): fc.Arbitrary<Span[]> {
  const pieces = fc.record({ gap: fc.nat(Math.ceil(size / 20)), length: fc.nat(Math.ceil(size / 20)) });
  return fc
    .tuple(fc.nat(size >> 1), fc.array(pieces, { minLength: 1, maxLength: 30 }))
    .map(([start, list]) => {
      const places: [offset: number, length: number][] = [];
      let at = start;
      for (const { gap, length } of list) {
        // Some lie side by side, and what is past the end goes on at the beginning.
        const offset = (at + (gap % 3 === 0 ? 0 : gap)) % size;
        places.push([offset, Math.min(length, size - offset)]);
        at = offset + Math.min(length, size - offset);
      }
      return gathered(
        places.map(([offset]) => offset),
        places.map(([, length]) => length),
      );
    })
    .filter(spans => spans.length > 0);
}

/** Any list of at least one span over an object of `size` bytes. */
export function spanLists(size: number): fc.Arbitrary<Span[]> {
  const literals = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(literal);
  const sources = fc
    .tuple(fc.nat(size - 1), fc.nat(size - 1))
    .map(([a, b]) => source(Math.min(a, b), Math.abs(a - b) + 1));
  const patched = fc
    .record({
      widths: fc.constantFrom([4, 4], [4, 8], [8, 8], [1, 1]),
      place: fc.double({ min: 0, max: 1, noNaN: true }),
      entries: fc.integer({ min: 1, max: Math.floor(size / 16) }),
      delta: fc.nat(0xffffffff),
    })
    .map(({ widths: [inBytes, outBytes], place, entries, delta }) =>
      addPatch(Math.floor(place * (size - entries * inBytes!)), entries, inBytes!, outBytes!, delta),
    );
  const plain = fc
    .array(fc.oneof(literals.map(one), sources.map(one), patched.map(one), pieceLists(size)), {
      minLength: 1,
      maxLength: 8,
    })
    .map(lists => lists.flat());
  const inSections = fc
    .tuple(plain, fc.array(plain, { minLength: 1, maxLength: 4 }), fc.nat(7), plain)
    .map(([before, lists, later, behind]) => [...before, sectionsOf(lists, i => ((later >> i) & 1) === 1), ...behind]);
  return fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: inSections });
}
