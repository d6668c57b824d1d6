import { sourceAt } from './gathered.js';
import type { Span } from './span.js';

/** A run of bytes `[offset, end)` of the origin object. */
export interface SourceRun {
  readonly offset: number;
  readonly end: number;
}

/**
 * The first bytes of the source that an answer needs; undefined when it is made of literals, or has sections before
 * them.
 * @param from first byte of the file in the answer
 * @param total bytes of the answer
 */
export function firstSource(spans: readonly Span[], from: number, total: number): SourceRun | undefined {
  let begin = 0;
  for (const span of spans) {
    if (begin >= from + total) break;
    const at = Math.max(0, from - begin);
    const to = Math.min(span.length, from + total - begin);
    begin += span.length;
    if (at >= to || span.kind === 'literal') continue;
    if (span.kind === 'sectioned') break;
    if (span.kind === 'source') return { offset: span.offset + at, end: span.offset + to };
    if (span.kind === 'gathered') return { offset: sourceAt(span, at), end: sourceAt(span, to - 1) + 1 };
    return { offset: span.patch.sourceFrom(at), end: span.patch.sourceTo(to) };
  }
  return undefined;
}
