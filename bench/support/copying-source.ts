import type { ByteSource } from '../../src/base/byte-source.js';
import { EdgeError } from '../../src/base/errors.js';

/** A film in memory, of which every read is a copy, as it is of cached blocks. */
export class CopyingSource implements ByteSource {
  readonly size: number;

  constructor(private readonly bytes: Uint8Array) {
    this.size = bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || offset + length > this.size) throw new EdgeError('unplayable', 'outside of the file');
    return new Uint8Array(this.bytes.subarray(offset, offset + length));
  }
}
