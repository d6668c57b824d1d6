import { EdgeError } from '../../../base/errors.js';
import { parseBox, u32 } from './box.js';

/** Most boxes in one. */
const BOXES_MAX = 1024;

/**
 * Goes over the boxes of a box in memory as `parseBoxes` does, without an object and a text for each: where there are
 * many boxes, those cost more than all else.
 */
export class BoxCursor {
  /** Four characters as a number. */
  type = 0;
  /** First byte, first byte of the contents, and first byte after the current box. */
  offset = 0;
  body = 0;
  end: number;
  #count = 0;

  /** Boxes in `[from, to)` of `bytes`. */
  constructor(
    private readonly bytes: Uint8Array,
    from: number,
    private readonly to: number,
  ) {
    this.end = from;
  }

  /**
   * Goes to the next box; false when there is none.
   * @throws EdgeError `unplayable` when it does not fit, or there are too many
   */
  next(): boolean {
    const { bytes, to, end: at } = this;
    const left = to - at;
    if (left < 8) return false;
    const size = u32(bytes, at);
    if (size === 0) return false;
    if (++this.#count > BOXES_MAX)
      throw new EdgeError('unplayable', `the file is broken: more than ${BOXES_MAX} boxes in one box`);
    this.offset = at;
    this.body = at + 8;
    this.end = at + size;
    if (size === 1 || size < 8 || size > left) {
      const box = parseBox(bytes, at, 0, to);
      this.body = at + box.headerSize;
      this.end = box.end;
    }
    this.type = u32(bytes, at + 4);
    return true;
  }
}

/** The four characters of a type as a number. */
export function code(type: string): number {
  return u32(Buffer.from(type, 'latin1'), 0);
}
