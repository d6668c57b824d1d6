import { randomBytes } from 'node:crypto';
import { fieldLine, isFieldValue } from '../base/field-line.js';
import { lengthOf, sliceSpans } from '../virtual-file/slice.js';
import { literal, type Span } from '../virtual-file/span.js';
import type { VirtualFile } from '../virtual-file/virtual-file.js';
import { type ByteRange, contentRange } from './range.js';

/**
 * Several ranges of a file as a body of type multipart/byteranges (RFC 9110 section 14.6): a virtual file in its turn,
 * whose part headers are literal spans. Its boundary is random, so that no stored content can hold it.
 */
export function multipart(file: VirtualFile, ranges: readonly ByteRange[]): VirtualFile {
  const boundary = randomBytes(15).toString('base64url');
  const type = isFieldValue(file.contentType) ? fieldLine('Content-Type', file.contentType) : '';
  const spans: Span[] = [];
  let delimiter = `--${boundary}`;
  for (const range of ranges) {
    const head = `${delimiter}${type}${fieldLine('Content-Range', contentRange(range, file.size))}\r\n\r\n`;
    spans.push(literal(Buffer.from(head, 'latin1')), ...sliceSpans(file.spans, range.start, range.end));
    delimiter = `\r\n--${boundary}`;
  }
  spans.push(literal(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')));
  return { ...file, size: lengthOf(spans), contentType: `multipart/byteranges; boundary=${boundary}`, spans };
}
