import { type ByteSource, READ_MAX } from '../../../base/byte-source.js';
import { look, type Reading, read } from '../../io/reading.js';
import { type Box, type BoxHead, boxBody, boxBodySize, headOf, name, u32 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import type { TableBytes } from './table-bytes.js';

/**
 * A table of a sample table box (ISO/IEC 14496-12 section 8), as the seek index keeps it: where its entries stand in
 * the object, and sums at every `STRIDE`th entry, so that a lookup is a binary search in memory and one short read.
 */
export interface Table {
  readonly type: string;
  readonly box: BoxHead;
  /**
   * Bytes of the box between its header and the entry count (or the entries, when there is no count): version, flags
   * and what follows.
   */
  readonly prelude: Uint8Array;
  /** Whether an entry count stands between the prelude and the entries. */
  readonly counted: boolean;
  /** Entries. */
  readonly count: number;
  /**
   * Bytes of an entry: ½ for 4-bit entries, 0 when every sample has the value in the prelude or entries differ in size.
   */
  readonly entrySize: number;
  /** Absolute offset of the first entry in the object. */
  readonly offset: number;
  /** Bytes of all entries. */
  readonly length: number;
  /** Samples that all runs of a run table speak of; 0 for other tables. */
  readonly samples: number;
  /** All entries, when they are few or are not those of the object. */
  readonly inline: Uint8Array | undefined;
  /** Sums before entries 0, STRIDE, 2 × STRIDE …; what is summed depends on the type. Each column never decreases. */
  readonly columns: readonly Float64Array[];
}

/** Entries between two marks of a column. */
export const STRIDE = 128;
/** Tables of at most this many bytes are kept whole. */
export const INLINE_MAX = 512;
/** Longest table that is kept whole because it had to be mended. */
export const MENDED_MAX = 1024 * 1024;
/** Nanoseconds that a byte of a table costs beside being read. */
const BYTE_WORK = 1 / 2;
/** Bytes read at once when a table is streamed. */
const CHUNK = READ_MAX / 4;
/** Most bytes of prelude of any table, and with the entry count. */
export const PRELUDE_MAX = 40;
const HEAD_MAX = PRELUDE_MAX + 4;

/** What the contents of a `uuid` box with sample encryption begin with (see `senc.ts`). */
const SAMPLE_ENCRYPTION = Buffer.from('a2394f525a9b4f14a2446c427c648df4', 'hex');

function isSampleEncryption(contents: Uint8Array): boolean {
  return SAMPLE_ENCRYPTION.equals(contents.subarray(0, SAMPLE_ENCRYPTION.length));
}

/** How a table is laid out. */
export interface TableShape {
  /** Bytes of the prelude. */
  readonly prelude: number;
  readonly counted: boolean;
  /** Bytes of an entry; for entries of any size -1. */
  readonly entry: number;
}

/**
 * How the table of box `type` is laid out; undefined when the box is no table that is cut.
 * @param head what the contents begin with, at least the prelude
 * @throws EdgeError `unplayable` when there is no such layout
 */
export function shapeOf(type: string, head: Uint8Array): TableShape | undefined {
  const version = head[0]!;
  const auxiliary = (head[3]! & 1) === 1 ? 8 : 0;
  switch (type) {
    case 'stts':
    case 'ctts':
      return { prelude: 4, counted: true, entry: 8 };
    case 'stss':
    case 'stps':
    case 'stco':
      return { prelude: 4, counted: true, entry: 4 };
    case 'co64':
      return { prelude: 4, counted: true, entry: 8 };
    case 'stsc':
      return { prelude: 4, counted: true, entry: 12 };
    case 'stsz':
      return { prelude: 8, counted: true, entry: u32(head, 4) === 0 ? 4 : 0 };
    case 'stz2':
      if (![4, 8, 16].includes(head[7]!)) throw broken(`box "stz2" has fields of ${head[7]} bits`);
      return { prelude: 8, counted: true, entry: head[7]! / 8 };
    case 'sdtp':
      return { prelude: 4, counted: false, entry: 1 };
    case 'stdp':
      return { prelude: 4, counted: false, entry: 2 };
    case 'padb':
      return { prelude: 4, counted: true, entry: 0.5 };
    case 'sbgp':
      return { prelude: version === 1 ? 12 : 8, counted: true, entry: 8 };
    case 'subs':
      return { prelude: 4, counted: true, entry: -1 };
    case 'senc':
      return { prelude: (head[3]! & 1) === 1 ? 24 : 4, counted: true, entry: -1 };
    case 'uuid':
      return isSampleEncryption(head)
        ? { prelude: (head[19]! & 1) === 1 ? 40 : 20, counted: true, entry: -1 }
        : undefined;
    case 'saiz':
      return { prelude: 5 + auxiliary, counted: true, entry: head[4 + auxiliary] === 0 ? 1 : 0 };
    case 'saio':
      return { prelude: 4 + auxiliary, counted: true, entry: version === 0 ? 4 : 8 };
    default:
      return undefined;
  }
}

/**
 * Reads the head of a table: everything but inline entries and columns. Undefined when the box is no table that is cut
 * along with the samples.
 * @throws EdgeError `unplayable` when the entries do not fit into the box
 */
export function* readTable(source: ByteSource, box: Box): Reading<Table | undefined> {
  const available = boxBodySize(box);
  const head = new Uint8Array(HEAD_MAX);
  if (available > 0) head.set(yield* read(source, boxBody(box), Math.min(HEAD_MAX, available)));
  const shape = shapeOf(box.type, head);
  if (shape === undefined) return undefined;
  const headSize = shape.prelude + (shape.counted ? 4 : 0);
  if (headSize > available) throw broken(`${name(box.type)} has ${available} bytes where its head needs ${headSize}`);
  const room = available - headSize;
  const count = shape.counted ? u32(head, shape.prelude) : Math.floor(room / shape.entry);
  const length = shape.entry < 0 ? room : Math.ceil(count * shape.entry);
  if (length > room)
    throw broken(`${name(box.type)} says it has ${count} entries, and has room for ${Math.floor(room / shape.entry)}`);
  return {
    type: box.type,
    box: headOf(box),
    prelude: head.slice(0, shape.prelude),
    counted: shape.counted,
    count,
    entrySize: Math.max(0, shape.entry),
    offset: boxBody(box) + headSize,
    length,
    samples: 0,
    inline: undefined,
    columns: [],
  };
}

/**
 * Passes over a table's bytes in chunks of whole entries.
 * @param use is given each chunk in order, which is its own only for the call, and the number of its first entry
 * @returns the chunk, when it is the only one and short enough to be kept inline
 */
export function* streamTable(
  scan: Scan,
  table: Table,
  use: (chunk: Uint8Array, firstEntry: number) => void,
): Reading<Uint8Array | undefined> {
  if (table.inline !== undefined) {
    use(table.inline, 0);
    return table.inline;
  }
  const step = CHUNK - (CHUNK % Math.max(1, table.entrySize));
  for (let at = 0; at < table.length; at += step) {
    const chunk = yield* look(scan.source, table.offset + at, Math.min(step, table.length - at));
    scan.source.spend(chunk.length * BYTE_WORK);
    if (table.length <= INLINE_MAX) {
      const kept = chunk.slice();
      use(kept, 0);
      return kept;
    }
    use(chunk, at / table.entrySize);
  }
  return table.length === 0 ? new Uint8Array(0) : undefined;
}

/**
 * A copy of all entries of a table that must be mended.
 * @throws EdgeError `unplayable` when there are too many
 */
export function* mendable(scan: Scan, table: Table): Reading<Uint8Array> {
  if (table.length > MENDED_MAX)
    throw broken(`box "${table.type}" is wrong, and at ${table.length} bytes too long to be mended`);
  const entries = new Uint8Array(table.length);
  yield* streamTable(scan, table, (chunk, from) => entries.set(chunk, from * table.entrySize));
  return entries;
}

/** The bytes of entries `[from, to)`, which must exist. Not to be written to. */
export function readEntries(source: TableBytes, table: Table, from: number, to: number): Uint8Array {
  const start = from * table.entrySize;
  const end = to * table.entrySize;
  if (table.inline !== undefined) return table.inline.subarray(start, end);
  return source.read(table.offset + start, end - start);
}

/** Entries as numbers; their reader is quicker than one byte after the other. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Number of marks in a column of a table of `count` entries. */
export function marks(count: number): number {
  return Math.ceil(count / STRIDE);
}

/** The greatest mark whose sum is at most `value`; 0 when there is none. */
export function markBefore(column: Float64Array, value: number): number {
  let low = 0;
  let high = column.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (column[middle]! <= value) low = middle;
    else high = middle;
  }
  return low;
}
