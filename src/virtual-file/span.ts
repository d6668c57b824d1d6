import type { Pieces } from '../base/pieces.js';

/** A few bytes that we made: a box header, an FLV header, a tag. */
export interface LiteralSpan {
  readonly kind: 'literal';
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Bytes `[offset, offset+length)` of the origin object, as they are. */
export interface SourceSpan {
  readonly kind: 'source';
  /** First byte in the origin object. */
  readonly offset: number;
  /** Bytes, both in the source and in the answer. */
  readonly length: number;
}

/** Bytes of the origin object that are passed through a pure function as they are sent. */
export interface PatchedSpan {
  readonly kind: 'patched';
  /** Bytes in the answer, which may differ from the bytes in the source (32-bit offsets that become 64-bit). */
  readonly length: number;
  readonly patch: Patch;
}

/**
 * Pieces of the origin object one after the other, as the samples of a track lie among those of others. They ascend in
 * the object and do not overlap, and no block lies between two of them that holds neither.
 */
export interface GatheredSpan extends Pieces {
  readonly kind: 'gathered';
  readonly length: number;
  /** The span's first byte, counted from the first piece's. */
  readonly from: number;
}

/** Spans that are made section by section as the delivery comes to them, because making all would cost too much. */
export interface SectionedSpan {
  readonly kind: 'sectioned';
  readonly length: number;
  /** Bytes of the sections before each, and of all. */
  readonly begins: Float64Array;
  /** The span's first byte, counted from the first section's. */
  readonly from: number;
  /** Makes the spans of section `i`, none of them sectioned; their lengths add up to the section's. */
  readonly make: (i: number) => readonly Span[] | Promise<readonly Span[]>;
}

/** One piece of a virtual file. Lengths are whole numbers of bytes, at least 1. */
export type Span = LiteralSpan | SourceSpan | PatchedSpan | GatheredSpan | SectionedSpan;

/** Most bytes of output that `Patch.apply` is asked for at once. */
export const PATCH_OUTPUT_MAX = 64 * 1024;
/** Most bytes of source that a patch may need for `PATCH_OUTPUT_MAX` bytes of output. */
export const PATCH_SOURCE_MAX = 128 * 1024;

/**
 * A pure function from bytes of the source to bytes of the answer, computable for any part of the span on its own.
 * Positions `from` and `to` count bytes of the span's output, `0 <= from < to <= length`,
 * `to - from <= PATCH_OUTPUT_MAX`. Holds no state between calls: equal arguments give equal bytes.
 */
export interface Patch {
  /** Absolute source offset of the first byte that is needed to make output from `from` on. */
  sourceFrom(from: number): number;
  /**
   * Absolute source offset just past the last byte that is needed to make output up to `to`;
   * `sourceTo(to) - sourceFrom(from) <= PATCH_SOURCE_MAX`.
   */
  sourceTo(to: number): number;
  /**
   * Writes output `[from, to)` to the start of `target`.
   * @param source the bytes `[sourceFrom(from), sourceTo(to))`; not to be written to or kept
   */
  apply(source: Uint8Array, from: number, to: number, target: Uint8Array): void;
}

/** Makes a literal span. */
export function literal(bytes: Uint8Array): LiteralSpan {
  return { kind: 'literal', bytes, length: bytes.length };
}

/** Makes a source span. */
export function source(offset: number, length: number): SourceSpan {
  return { kind: 'source', offset, length };
}
