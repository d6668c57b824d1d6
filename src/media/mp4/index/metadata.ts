import { EdgeError } from '../../../base/errors.js';
import { type Reading, read } from '../../io/reading.js';
import { type Box, boxBody, boxBodySize, fourcc, u32 } from '../box/box.js';
import type { BoxScan, KeptBox } from '../box/box-scan.js';

/**
 * Metadata that tell of the whole file and would lie in a cut: its length, its encoder's priming, times in it. They are
 * made unreadable in place, so that nothing around them moves: boxes become `free`, frames of ID3v2 experimental ones.
 */

/** Names of such values, in iTunes' free form (`----`) and among the keys of QuickTime's metadata. */
const NAMES =
  /^(com\.apple\.itunes\.)?(itunsmpb|duration(-\w+)?|length|tlen|cuesheet|number_of_(frames|bytes)(-\w+)?|bps(-\w+)?|_statistics_\w+(-\w+)?)$/i;
/**
 * User data that are such values: lengths; the first timecode, its scale and size by Adobe; highlights by GoPro; hints
 * for streaming, whose tracks are left out.
 */
const BOXES = new Set([
  '\u00a9len',
  '\u00a9dur',
  '\u00a9TIM',
  '\u00a9TSC',
  '\u00a9TSZ',
  'TIM ',
  'TSC ',
  'TSZ ',
  'HMMT',
  'hnti',
  'hinf',
]);
/** Boxes of text or of entries of any kind, which are left out whole when they speak of a duration. */
const BLOBS = new Set(['XMP_', 'Xtra', 'uuid']);
/** Type of a `uuid` box with an XMP packet. */
const XMP = Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex');
/**
 * Frames of ID3v2: length, delay, event times, lookup table, synchronised lyrics and tempo, chapters, index, position.
 */
const FRAMES = new Set(['TLEN', 'TLE', 'TDLY', 'ETCO', 'MLLT', 'SYLT', 'SYTC', 'CHAP', 'CTOC', 'ASPI', 'SEEK', 'POSS']);

/** Bytes of a box that are looked at. */
const LOOKED_AT = 64 * 1024;
/** Boxes of at most this many bytes are kept in one piece. */
const WHOLE_MAX = 1024;
/** Most values of one box that are made unreadable. */
const BLANKS_MAX = 256;

/** Characters that are put over what stands at an absolute offset. */
interface Blank {
  readonly at: number;
  readonly text: string;
}

/** A box of metadata for a cut. */
export function* keepMetadata(scan: BoxScan, box: Box): Reading<KeptBox[]> {
  const blanks: Blank[] = [];
  yield* collect(scan, box, blanks, []);
  blanks.splice(BLANKS_MAX);
  if (blanks.length === 0) return [yield* scan.keep(box)];
  const length = box.end - box.offset;
  if (length <= WHOLE_MAX) {
    const bytes = Buffer.from(yield* read(scan.source, box.offset, length));
    for (const { at, text } of blanks) bytes.write(text, at - box.offset, 'latin1');
    return [{ kind: 'bytes', bytes: new Uint8Array(bytes) }];
  }
  const pieces: KeptBox[] = [];
  let from = box.offset;
  for (const { at, text } of blanks.sort((a, b) => a.at - b.at)) {
    pieces.push({ kind: 'span', offset: from, length: at - from });
    pieces.push({ kind: 'bytes', bytes: Uint8Array.from(Buffer.from(text, 'latin1')) });
    from = at + text.length;
  }
  if (from < box.end) pieces.push({ kind: 'span', offset: from, length: box.end - from });
  return pieces;
}

/** @param keys names that QuickTime's metadata refer to by number, from 1 */
function* collect(scan: BoxScan, box: Box, blanks: Blank[], keys: readonly string[]): Reading<void> {
  if (BOXES.has(box.type)) blanks.push({ at: box.offset + 4, text: 'free' });
  else if (BLOBS.has(box.type)) yield* blob(scan, box, blanks);
  else if (box.type === 'ID32') yield* frames(scan, box, blanks);
  else if (box.type === 'udta')
    for (const child of yield* childrenIfWhole(scan, box)) yield* collect(scan, child, blanks, keys);
  else if (box.type === 'meta') yield* itemsOf(scan, box, blanks);
}

/** The children of a box; none when they are broken, as metadata may be: the box is kept as it is then. */
export function* childrenIfWhole(scan: BoxScan, box: Box): Reading<Box[]> {
  try {
    return yield* scan.children(box);
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'unplayable') return [];
    throw error;
  }
}

function* itemsOf(scan: BoxScan, meta: Box, blanks: Blank[]): Reading<void> {
  // QuickTime's is a plain box, that of the standard is a full box.
  let children: Box[] = [];
  for (const extra of [4, 0]) {
    const inside: Box = { ...meta, headerSize: meta.headerSize + extra };
    if (boxBodySize(inside) >= 8) children = yield* childrenIfWhole(scan, inside);
    if (children.length > 0) break;
  }
  const table = children.find(({ type }) => type === 'keys');
  const keys = table === undefined ? [] : yield* keysOf(scan, table);
  for (const child of children) {
    if (child.type !== 'ilst') yield* collect(scan, child, blanks, keys);
    else for (const item of yield* childrenIfWhole(scan, child)) yield* itemOf(scan, item, blanks, keys);
  }
}

function* itemOf(scan: BoxScan, item: Box, blanks: Blank[], keys: readonly string[]): Reading<void> {
  const number = Buffer.from(item.type, 'latin1').readUInt32BE();
  let name = keys[number - 1];
  if (item.type === '----') {
    const part = (yield* childrenIfWhole(scan, item)).find(({ type }) => type === 'name');
    // Version and flags stand before the name.
    const size = part === undefined ? 0 : Math.min(256, boxBodySize(part));
    name = size <= 4 ? '' : Buffer.from(yield* read(scan.source, boxBody(part!), size)).toString('latin1', 4);
  }
  if (BOXES.has(item.type) || (name !== undefined && NAMES.test(name)))
    blanks.push({ at: item.offset + 4, text: 'free' });
}

/** Names of `keys` (QuickTime File Format, "Metadata Item Keys Atom"): size, namespace, name. */
function* keysOf(scan: BoxScan, box: Box): Reading<string[]> {
  const bytes = yield* read(scan.source, boxBody(box), Math.min(LOOKED_AT, boxBodySize(box)));
  const keys: string[] = [];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const size = u32(bytes, at);
    if (size < 8 || at + size > bytes.length) break;
    keys.push(Buffer.from(bytes.subarray(at + 8, at + size)).toString('latin1'));
    at += size;
  }
  return keys;
}

function* blob(scan: BoxScan, box: Box, blanks: Blank[]): Reading<void> {
  const size = Math.min(LOOKED_AT, boxBodySize(box));
  if (size === 0) return;
  const bytes = Buffer.from(yield* read(scan.source, boxBody(box), size));
  if (box.type === 'uuid' && !bytes.subarray(0, XMP.length).equals(XMP)) return;
  if (/duration/i.test(bytes.toString('latin1'))) blanks.push({ at: box.offset + 4, text: 'free' });
}

/** `ID32`: version and flags, language, then a tag of ID3v2.3 or 2.4. */
function* frames(scan: BoxScan, box: Box, blanks: Blank[]): Reading<void> {
  const tag = boxBody(box) + 6;
  const size = Math.min(LOOKED_AT, box.end - tag);
  if (size < 20) return;
  const bytes = yield* read(scan.source, tag, size);
  const version = bytes[3]!;
  if (fourcc(bytes, 0).slice(0, 3) !== 'ID3' || version < 3 || version > 4) return;
  const sizeAt = (at: number) => (version === 4 ? syncSafe(bytes, at) : u32(bytes, at));
  // The extended header of version 2.4 counts itself.
  const extended = (bytes[5]! & 0x40) !== 0 ? sizeAt(10) + (version === 4 ? 0 : 4) : 0;
  for (let at = 10 + extended; at + 10 <= bytes.length && bytes[at] !== 0; at += 10 + sizeAt(at + 4)) {
    const isPriming =
      fourcc(bytes, at) === 'COMM' && Buffer.from(bytes.subarray(at + 10, at + 64)).includes('iTunSMPB');
    if (isPriming || FRAMES.has(fourcc(bytes, at))) blanks.push({ at: tag + at, text: 'X' });
  }
}

function syncSafe(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 21) | (bytes[at + 1]! << 14) | (bytes[at + 2]! << 7) | bytes[at + 3]!;
}
