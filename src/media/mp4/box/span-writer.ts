import { literal, type Span } from '../../../virtual-file/span.js';
import { BoxWriter } from './box-writer.js';

/** Writes the head of a virtual file: boxes that we make, with spans of the object between them. */
export class SpanWriter extends BoxWriter {
  readonly #spans: { readonly at: number; readonly span: Span }[] = [];

  /** Puts a span at this place; literal ones become part of the bytes around them. */
  span(span: Span): void {
    if (span.kind === 'literal') {
      this.bytes(span.bytes);
      return;
    }
    this.#spans.push({ at: this.length, span });
    this.skip(span.length);
  }

  /** Everything written, as spans that no longer depend on the writer. */
  spans(): Span[] {
    const bytes = this.take();
    const spans: Span[] = [];
    let from = 0;
    for (const { at, span } of this.#spans) {
      if (at > from) spans.push(literal(bytes.subarray(from, at)));
      spans.push(span);
      from = at;
    }
    if (bytes.length > from) spans.push(literal(bytes.subarray(from)));
    return spans;
  }

  override reset(): void {
    super.reset();
    this.#spans.length = 0;
  }
}
