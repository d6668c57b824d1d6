import assert from 'node:assert/strict';
import { BLOCK_SIZE } from '../../src/base/block.js';
import { type ByteSource, READ_MAX } from '../../src/base/byte-source.js';
import { EdgeError } from '../../src/base/errors.js';
import type { MediaObject } from '../../src/media/seek/media.js';
import { PATCH_OUTPUT_MAX, PATCH_SOURCE_MAX } from '../../src/virtual-file/span.js';
import type { VirtualFile } from '../../src/virtual-file/virtual-file.js';

/** Bytes in memory as a source that keeps the contract of `ByteSource` to the letter and counts what it is asked. */
export class MemorySource implements ByteSource {
  reads = 0;
  /** Bytes that were read. */
  bytesRead = 0;
  /** Numbers of the cache blocks that were touched. */
  readonly blocks = new Set<number>();

  readonly bytes: Uint8Array;
  #lent: Uint8Array | undefined;

  /** @param later whether each read answers with a promise; 'mixed' for every other one */
  constructor(
    bytes: Uint8Array,
    readonly later: boolean | 'mixed' = false,
  ) {
    // A Buffer's slice is a view, not a copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get size(): number {
    return this.bytes.length;
  }

  /** What is lent is spoilt by whatever is read next, so that whoever kept it makes nonsense of it. */
  lend(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    const bytes = this.read(offset, length);
    if (bytes instanceof Uint8Array) this.#lent = bytes;
    return bytes;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.#lent?.fill(0xee);
    this.#lent = undefined;
    assert.ok(Number.isInteger(offset) && Number.isInteger(length), `read(${offset}, ${length})`);
    assert.ok(length <= READ_MAX, `a read of ${length} bytes`);
    this.reads++;
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new EdgeError('unplayable', `bytes ${offset}+${length} were wanted of ${this.size}`);
    }
    this.bytesRead += length;
    for (let block = Math.floor(offset / BLOCK_SIZE); block * BLOCK_SIZE < offset + length; block++)
      this.blocks.add(block);
    const bytes = this.bytes.slice(offset, offset + length);
    const later = this.later === 'mixed' ? this.reads % 2 === 0 : this.later;
    return later ? Promise.resolve(bytes) : bytes;
  }
}

/** An object over `source`. */
export function mediaObject(source: ByteSource, fields: Partial<MediaObject> = {}): MediaObject {
  const [etag, contentType] = ['"source"', 'video/mp4'];
  return { identity: 'object', etag, lastModified: 1_700_000_000_000, contentType, source, ...fields };
}

/**
 * The bytes of a virtual file, with patches applied in windows as delivery does; checks the spans and the patches' own
 * promises.
 * @param window gives the length of the next window of a patched span, 1 to `PATCH_OUTPUT_MAX`
 */
export function render(file: VirtualFile, bytes: Uint8Array, window: () => number = () => PATCH_OUTPUT_MAX): Buffer {
  const parts: Uint8Array[] = [];
  for (const span of file.spans) {
    assert.ok(Number.isInteger(span.length) && span.length >= 1, `a span of ${span.length} bytes`);
    if (span.kind === 'literal') {
      assert.equal(span.bytes.length, span.length);
      parts.push(span.bytes);
    } else if (span.kind === 'source') {
      assert.ok(span.offset >= 0 && span.offset + span.length <= bytes.length, 'a source span leaves the object');
      parts.push(bytes.subarray(span.offset, span.offset + span.length));
    } else if (span.kind === 'gathered') {
      const { offsets, begins, from, length } = span;
      for (const [i, offset] of offsets.entries()) {
        const [begin, end] = [Math.max(begins[i]!, from), Math.min(begins[i + 1]!, from + length)];
        const place = offset - begins[i]!;
        assert.ok(place + begin >= 0 && place + end <= bytes.length, 'a piece leaves the object');
        if (begin < end) parts.push(bytes.subarray(place + begin, place + end));
      }
    } else if (span.kind === 'sectioned') {
      assert.fail('sections are made as they are sent');
    } else {
      const { patch, length } = span;
      for (let from = 0; from < length; ) {
        const to = Math.min(length, from + Math.min(PATCH_OUTPUT_MAX, Math.max(1, window())));
        const [sourceFrom, sourceTo] = [patch.sourceFrom(from), patch.sourceTo(to)];
        assert.ok(sourceFrom >= 0 && sourceFrom <= sourceTo && sourceTo <= bytes.length, 'a patch leaves the object');
        assert.ok(sourceTo - sourceFrom <= PATCH_SOURCE_MAX, `a patch needs ${sourceTo - sourceFrom} bytes`);
        const target = new Uint8Array(to - from);
        patch.apply(Uint8Array.prototype.slice.call(bytes, sourceFrom, sourceTo), from, to, target);
        parts.push(target);
        from = to;
      }
    }
  }
  const whole = Buffer.concat(parts);
  assert.equal(whole.length, file.size, 'the spans do not add up to the size');
  return whole;
}
