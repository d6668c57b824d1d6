import type { MeteredSource } from '../../io/metered-source.js';
import { type Reading, read } from '../../io/reading.js';
import { BOX_HEADER_MAX, type Box, boxBody, boxBodySize, fourcc, isType, name, parseBox, readBox, u32 } from './box.js';
import { broken } from './broken.js';
import { HEADER_BODY_MAX, type HeaderBox, type HeaderType, parseHeader } from './header-box.js';

/** Most boxes of a file that are looked at. */
const BOXES_MAX = 8192;
/** Nanoseconds that a box costs beside being read. */
const BOX_WORK = 10_000;
/** Boxes of at most this many bytes are kept in the index; larger ones stay in the object. */
const KEPT_BOX_MAX = 1024;
/** Bytes of all boxes kept; when they are used up, boxes stay in the object. */
const KEPT_MAX = 32 * 1024;

/** A box as it is: its bytes, or when it is large where it stands in the object. */
export type KeptBox =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'span'; readonly offset: number; readonly length: number };

/** What compiling a table needs beside the table. */
export interface Scan {
  readonly source: MeteredSource;
}

/** A walk over the boxes of one object, bounded in boxes and in bytes kept. */
export class BoxScan implements Scan {
  #boxes = 0;
  #kept = 0;

  constructor(readonly source: MeteredSource) {}

  /** The header of the box at `offset`, which must end at `limit` or before. */
  *box(offset: number, limit = this.source.size): Reading<Box> {
    this.#count();
    return yield* readBox(this.source, offset, limit);
  }

  /**
   * The boxes in the contents of `parent`. A size of 0 without a type ends them, as it does QuickTime's lists; with a
   * type it is that of a box that goes on to the end. What is neither a type nor a size that fits is no box, and
   * nothing after it is.
   */
  *children(parent: Box): Reading<Box[]> {
    const children: Box[] = [];
    for (let at = boxBody(parent); parent.end - at >= 8; at = children[children.length - 1]!.end) {
      const header = yield* read(this.source, at, Math.min(BOX_HEADER_MAX, parent.end - at));
      const size = u32(header, 0);
      if (!isType(fourcc(header, 4)) && (size === 0 || size > parent.end - at)) break;
      this.#count();
      children.push(parseBox(header, 0, at, parent.end));
    }
    return children;
  }

  /** The box as it is, for the answer. */
  *keep(box: Box): Reading<KeptBox> {
    const length = box.end - box.offset;
    if (length > KEPT_BOX_MAX || this.#kept + length > KEPT_MAX) return { kind: 'span', offset: box.offset, length };
    this.#kept += length;
    return { kind: 'bytes', bytes: yield* read(this.source, box.offset, length) };
  }

  #count(): void {
    this.source.spend(BOX_WORK);
    if (++this.#boxes > BOXES_MAX) throw broken(`it has more than ${BOXES_MAX} boxes`);
  }

  /** A header box. */
  *header(type: HeaderType, box: Box): Reading<HeaderBox> {
    const size = boxBodySize(box);
    if (size < 4 || size > HEADER_BODY_MAX) throw broken(`${name(type)} has ${size} bytes`);
    return parseHeader(type, yield* read(this.source, boxBody(box), size));
  }
}
