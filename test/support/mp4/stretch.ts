import type { ByteSource } from '../../../src/base/byte-source.js';
import { EdgeError } from '../../../src/base/errors.js';

/** A file with a hole of zeros, as large as one likes, in the middle. */
class StretchedSource implements ByteSource {
  readonly size: number;

  /**
   * @param bytes the file without the hole
   * @param at where the hole begins
   * @param hole bytes of the hole
   */
  constructor(
    readonly bytes: Uint8Array,
    readonly at: number,
    readonly hole: number,
  ) {
    this.size = bytes.length + hole;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || offset + length > this.size)
      throw new EdgeError('unplayable', `bytes ${offset}+${length} of ${this.size}`);
    const read = new Uint8Array(length);
    const before = this.bytes.subarray(offset, Math.min(this.at, offset + length));
    if (offset < this.at) read.set(before);
    const after = this.at + this.hole;
    if (offset + length > after) {
      const from = Math.max(offset, after);
      read.set(this.bytes.subarray(from - this.hole, offset + length - this.hole), from - offset);
    }
    return read;
  }
}

/**
 * Makes a hole of `hole` bytes at `at` inside a media box with a 64-bit size: sizes and chunk offsets are made right in
 * place.
 * @throws RangeError when a 32-bit chunk offset does not fit
 */
export function stretch(file: Uint8Array, at: number, hole: number): StretchedSource {
  const bytes = Buffer.from(file);
  walk(bytes, 0, bytes.length, (type, start, body, end) => {
    if (type === 'mdat' && body <= at && at <= end) bytes.writeBigUInt64BE(BigInt(end - start + hole), start + 8);
    const wide = type === 'co64' || (type === 'saio' && bytes[body] === 1);
    const narrow = type === 'stco' || (type === 'saio' && bytes[body] === 0);
    const first = body + (type === 'saio' && (bytes[body + 3]! & 1) === 1 ? 16 : 8);
    for (let entry = first; wide && entry < end; entry += 8) {
      const offset = Number(bytes.readBigUInt64BE(entry));
      if (offset >= at) bytes.writeBigUInt64BE(BigInt(offset + hole), entry);
    }
    for (let entry = first; narrow && entry < end; entry += 4) {
      const offset = bytes.readUInt32BE(entry);
      if (offset >= at) bytes.writeUInt32BE(offset + hole, entry);
    }
  });
  return new StretchedSource(bytes, at, hole);
}

const CONTAINERS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

function walk(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (type: string, start: number, body: number, end: number) => void,
): void {
  for (let at = from; at < to; ) {
    const wide = bytes.readUInt32BE(at) === 1;
    const size = wide ? Number(bytes.readBigUInt64BE(at + 8)) : bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const body = at + (wide ? 16 : 8);
    visit(type, at, body, at + size);
    if (CONTAINERS.has(type)) walk(bytes, body, at + size, visit);
    at += size;
  }
}
