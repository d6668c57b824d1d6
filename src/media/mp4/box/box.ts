import type { ByteSource } from '../../../base/byte-source.js';
import { EdgeError } from '../../../base/errors.js';
import { type Reading, read } from '../../io/reading.js';

/** Where a box stands (ISO/IEC 14496-12 section 4.2). Offsets are absolute bytes of whatever it was read from. */
export interface Box {
  /** Four characters, one per byte (Latin-1), so that QuickTime's `©nam` is kept. */
  readonly type: string;
  /** First byte of the header. */
  readonly offset: number;
  /** Bytes of the header: 8, or 16 for a 64-bit size. */
  readonly headerSize: number;
  /** First byte after the box. */
  readonly end: number;
}

/** Where a box stands, without what it is. */
export interface BoxHead {
  readonly offset: number;
  readonly headerSize: number;
  /** Bytes of the whole box. */
  readonly size: number;
}

/** The place of a box. */
export function headOf(box: Box): BoxHead {
  return { offset: box.offset, headerSize: box.headerSize, size: box.end - box.offset };
}

/**
 * Most bytes of a box header; reading this many at a box's offset (or fewer where the file ends) is always enough for
 * `parseBox`.
 */
export const BOX_HEADER_MAX = 16;

/** First byte of a box's contents. */
export function boxBody(box: Box): number {
  return box.offset + box.headerSize;
}

/** Bytes of a box's contents. */
export function boxBodySize(box: Box): number {
  return box.end - box.offset - box.headerSize;
}

/**
 * Parses the box header at `at` of `bytes`.
 * @param bytes holds at least the header: `BOX_HEADER_MAX` bytes from `at`, or as many as there are up to `limit`
 * @param base absolute offset of `bytes[0]`
 * @param limit absolute offset that the box must not pass: end of its parent or of the file
 * @throws EdgeError `unplayable` when the header or the box does not fit
 */
export function parseBox(bytes: Uint8Array, at: number, base: number, limit: number): Box {
  const offset = base + at;
  if (at + 8 > bytes.length || offset + 8 > limit) throw misfit('a box header', offset, 8, limit - offset);
  const type = fourcc(bytes, at + 4);
  let size = u32(bytes, at);
  let headerSize = 8;
  if (size === 1) {
    headerSize = 16;
    if (at + 16 > bytes.length || offset + 16 > limit)
      throw misfit(`the header of ${name(type)}`, offset, 16, limit - offset);
    size = u32(bytes, at + 8) * 0x1_0000_0000 + u32(bytes, at + 12);
  } else if (size === 0) {
    size = limit - offset;
  }
  if (size < headerSize || size > limit - offset) throw misfit(name(type), offset, size, limit - offset);
  return { type, offset, headerSize, end: offset + size };
}

/** Reads the header of the box at `offset`; see `parseBox`. */
export function* readBox(source: ByteSource, offset: number, limit: number): Reading<Box> {
  const length = Math.min(BOX_HEADER_MAX, limit - offset);
  if (length < 8) throw misfit('a box header', offset, 8, length);
  return parseBox(yield* read(source, offset, length), 0, offset, limit);
}

/**
 * The boxes in `[from, to)` of bytes in memory, in order. Fewer than 8 bytes at the end are no box and are left out; a
 * size of 0 ends the list, as it does in QuickTime files.
 * @param max most boxes to accept
 * @throws EdgeError `unplayable` when one does not fit or there are more than `max`
 */
export function parseBoxes(bytes: Uint8Array, from: number, to: number, max = 1024): Box[] {
  const boxes: Box[] = [];
  let at = from;
  while (to - at >= 8 && u32(bytes, at) !== 0) {
    if (boxes.length === max)
      throw new EdgeError('unplayable', `the file is broken: more than ${max} boxes in one box`);
    const box = parseBox(bytes, at, 0, to);
    boxes.push(box);
    at = box.end;
  }
  return boxes;
}

/** The four characters at `at`. */
export function fourcc(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!);
}

/** Unsigned 32-bit number at `at`, most significant byte first. */
export function u32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x100_0000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

/**
 * Unsigned 64-bit number at `at`, most significant byte first.
 * @throws EdgeError `unplayable` above 2^53 - 1, which no real file reaches
 */
export function u64(bytes: Uint8Array, at: number): number {
  const value = u32(bytes, at) * 0x1_0000_0000 + u32(bytes, at + 4);
  if (value > Number.MAX_SAFE_INTEGER)
    throw new EdgeError('unplayable', 'the file is broken: a 64-bit number in it is above 2^53');
  return value;
}

/** Whether four characters may be the type of a box: printable ones, the first perhaps QuickTime's ©. */
export function isType(type: string): boolean {
  return /^[ -~\u00a9][ -~]{3}$/.test(type);
}

/** A box type that is fit for a message, whatever bytes it is made of. */
export function name(type: string): string {
  return `box "${type.replace(/[^ -~]/g, '?')}"`;
}

function misfit(what: string, offset: number, size: number, left: number): EdgeError {
  return new EdgeError(
    'unplayable',
    `the file is broken: ${what} at byte ${offset} needs ${size} bytes where ${Math.max(0, left)} are left`,
  );
}
