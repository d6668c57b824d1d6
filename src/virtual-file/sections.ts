import { EdgeError } from '../base/errors.js';
import { lastAtMost } from '../base/last-at-most.js';
import { lengthOf, sliceSpans } from './slice.js';
import type { SectionedSpan, Span } from './span.js';

/**
 * A span of sections that are made as they are reached.
 * @param begins bytes of the sections before each, and of all, rising from 0
 */
export function sectioned(begins: Float64Array, make: SectionedSpan['make']): SectionedSpan {
  return { kind: 'sectioned', length: begins[begins.length - 1]!, begins, from: 0, make };
}

/**
 * What stands in place of a sectioned span from byte `at` on: the spans of the section that holds this byte, from it
 * on, then what is left of the sections.
 * @throws EdgeError (or rejects with one) what the making throws; `internal` when a section is not of its length
 */
export function openSection(span: SectionedSpan, at: number): readonly Span[] | Promise<readonly Span[]> {
  const section = lastAtMost(span.begins, span.from + at);
  const made = span.make(section);
  return made instanceof Promise
    ? made.then(spans => fromSection(span, section, at, spans))
    : fromSection(span, section, at, made);
}

function fromSection(span: SectionedSpan, section: number, at: number, made: readonly Span[]): readonly Span[] {
  const { begins, from, length } = span;
  const [begin, end] = [begins[section]!, begins[section + 1]!];
  const size = lengthOf(made);
  if (size !== end - begin) {
    throw new EdgeError('internal', `section ${section} of a file has ${size} bytes, expected ${end - begin}`);
  }
  const last = from + length;
  const spans = sliceSpans(made, from + at - begin, Math.min(last, end) - begin);
  if (end < last) spans.push({ ...span, from: end, length: last - end });
  return spans;
}
