import { blockOf } from '../base/block.js';
import { lastAtMost } from '../base/last-at-most.js';
import { placeOf } from '../base/pieces.js';
import { type GatheredSpan, type Span, source } from './span.js';

/**
 * Spans of pieces of the origin object one after the other. Neighbours become one piece, empty ones are left out; what
 * lies too far behind a piece, or before its end, begins another span.
 * @param offsets first byte of each piece in the object
 * @param lengths bytes of each, as many as there are offsets
 * @returns no span when there are no bytes
 */
export function gathered(offsets: ArrayLike<number>, lengths: ArrayLike<number>): Span[] {
  const spans: Span[] = [];
  const starts = new Float64Array(offsets.length);
  const begins = new Float64Array(offsets.length + 1);
  let [count, end] = [0, 0];
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    const length = lengths[i]!;
    if (length === 0) continue;
    if (count > 0 && (offset < end || blockOf(offset) > blockOf(end - 1) + 1)) {
      spans.push(spanOf(starts.slice(0, count), begins.slice(0, count + 1)));
      count = 0;
    }
    if (count === 0 || offset > end) {
      starts[count++] = offset;
      begins[count] = begins[count - 1]!;
    }
    begins[count]! += length;
    end = offset + length;
  }
  if (count > 0) spans.push(spanOf(starts.slice(0, count), begins.slice(0, count + 1)));
  return spans;
}

function spanOf(offsets: Float64Array, begins: Float64Array): Span {
  const length = begins[offsets.length]!;
  return offsets.length === 1 ? source(offsets[0]!, length) : { kind: 'gathered', length, offsets, begins, from: 0 };
}

/** Bytes `[from, from + length)` of a gathered span as a span. */
export function sliceGathered(span: GatheredSpan, from: number, length: number): Span {
  const { offsets, begins } = span;
  const first = span.from + from;
  const piece = lastAtMost(begins, first);
  return first + length <= begins[piece + 1]!
    ? source(offsets[piece]! + first - begins[piece]!, length)
    : { kind: 'gathered', length, offsets, begins, from: first };
}

/** Where byte `at` of a gathered span stands in the origin object. */
export function sourceAt(span: GatheredSpan, at: number): number {
  return placeOf(span, span.from + at);
}
