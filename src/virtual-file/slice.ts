import { sliceGathered } from './gathered.js';
import { type Patch, type Span, source } from './span.js';

/** A part of a patch that begins at output byte `shift` of the whole. */
class ShiftedPatch implements Patch {
  readonly #patch: Patch;
  readonly #shift: number;

  constructor(patch: Patch, shift: number) {
    this.#patch = patch;
    this.#shift = shift;
  }

  sourceFrom(from: number): number {
    return this.#patch.sourceFrom(from + this.#shift);
  }

  sourceTo(to: number): number {
    return this.#patch.sourceTo(to + this.#shift);
  }

  apply(bytes: Uint8Array, from: number, to: number, target: Uint8Array): void {
    this.#patch.apply(bytes, from + this.#shift, to + this.#shift, target);
  }
}

/** Bytes `[from, to)` of a span as a span; `0 <= from < to <= span.length`. */
function sliceSpan(span: Span, from: number, to: number): Span {
  const length = to - from;
  if (length === span.length) return span;
  switch (span.kind) {
    case 'literal':
      return { kind: 'literal', bytes: span.bytes.subarray(from, to), length };
    case 'source':
      return source(span.offset + from, length);
    case 'patched':
      return { kind: 'patched', length, patch: from === 0 ? span.patch : new ShiftedPatch(span.patch, from) };
    case 'gathered':
      return sliceGathered(span, from, length);
    case 'sectioned':
      return { ...span, from: span.from + from, length };
  }
}

/**
 * Bytes `[from, to)` of a list of spans as a list of spans; nothing is copied. The part that lies past the end is left
 * out.
 */
export function sliceSpans(spans: readonly Span[], from: number, to: number): Span[] {
  const parts: Span[] = [];
  let begin = 0;
  for (const span of spans) {
    const end = begin + span.length;
    if (begin >= to) break;
    if (end > from) parts.push(sliceSpan(span, Math.max(0, from - begin), Math.min(span.length, to - begin)));
    begin = end;
  }
  return parts;
}

/** Sum of the lengths of spans, in bytes. */
export function lengthOf(spans: readonly Span[]): number {
  let length = 0;
  for (const span of spans) length += span.length;
  return length;
}

/** Bytes that a span takes in memory beside what it holds, and each piece of a gathered one. */
const [SPAN, PIECE] = [128, 16];

/** Bytes that spans take in memory, about. */
export function heldBytes(spans: readonly Span[]): number {
  let bytes = 0;
  for (const span of spans) {
    bytes += SPAN;
    if (span.kind === 'literal') bytes += span.length;
    if (span.kind === 'gathered') bytes += PIECE * span.begins.length;
  }
  return bytes;
}
