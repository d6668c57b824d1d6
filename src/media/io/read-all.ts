import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { type Reading, read } from './reading.js';

/**
 * Reads `[offset, offset+length)`, which may be more than one read gives, into one buffer; `yield*` it. The caller
 * bounds `length`.
 */
export function* readAll(source: ByteSource, offset: number, length: number): Reading<Uint8Array> {
  if (length <= READ_MAX) return yield* read(source, offset, length);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; done += READ_MAX) {
    bytes.set(yield* read(source, offset + done, Math.min(READ_MAX, length - done)), done);
  }
  return bytes;
}
