import { native } from '../../../base/native.js';
import type { Reading } from '../../io/reading.js';
import { u32 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { INLINE_MAX, marks, STRIDE, streamTable, type Table, viewOf } from './table.js';
import type { TableBytes } from './table-bytes.js';

/**
 * Sizes of samples: `stsz`, `stz2` (ISO/IEC 14496-12 section 8.7.3), and of their auxiliary information: `saiz`
 * (section 8.7.8). Column 0: bytes of the samples before the mark; left out where no chunk is long enough to need it.
 */

/** The size that all samples share; undefined when each has its own in the table. */
export function commonSize(table: Table): number | undefined {
  if (table.entrySize !== 0) return undefined;
  return table.type === 'saiz' ? table.prelude[table.prelude.length - 1]! : u32(table.prelude, 4);
}

/**
 * Compiles a table of sizes.
 * @param withSums whether sums are kept; without them `sizeOf` adds up at most `STRIDE` entries, and a long table is
 *   not even read
 */
export function* compileSizes(scan: Scan, table: Table, withSums: boolean): Reading<Table> {
  const { entrySize, count } = table;
  if (entrySize === 0 || (!withSums && table.length > INLINE_MAX)) return table;
  const sums = new Float64Array(withSums ? marks(count) : 0);
  let sum = 0;
  const inline = yield* streamTable(scan, table, (bytes, from) => {
    if (entrySize === 4) {
      sum = native.sumSizes(bytes, from, STRIDE, sum, sums);
      return;
    }
    const chunk = viewOf(bytes);
    const to = Math.min(count, from + chunk.byteLength / entrySize);
    for (let entry = from, i = 0; entry < to; entry++, i++) {
      if (withSums && entry % STRIDE === 0) sums[entry / STRIDE] = sum;
      sum += sizeAt(chunk, i, entrySize);
    }
  });
  return { ...table, inline, columns: withSums ? [sums] : [] };
}

/**
 * Bytes of samples `[from, to)`.
 * @throws EdgeError `unplayable` when not all of them are in the table
 */
export function sizeOf(source: TableBytes, table: Table, from: number, to: number): number {
  if (from >= to) return 0;
  if (from < 0 || to > table.count)
    throw broken(`box "${table.type}" has ${table.count} samples, and samples ${from} to ${to} are needed`);
  const common = commonSize(table);
  if (common !== undefined) return (to - from) * common;
  const sums = table.columns[0];
  if (sums === undefined || to - from <= STRIDE) return addSizes(source, table, from, to);
  const first = Math.ceil(from / STRIDE);
  const last = Math.min(Math.floor(to / STRIDE), sums.length - 1);
  const before = addSizes(source, table, from, first * STRIDE);
  const after = addSizes(source, table, last * STRIDE, to);
  return before + sums[last]! - sums[first]! + after;
}

function addSizes(source: TableBytes, table: Table, from: number, to: number): number {
  if (from >= to) return 0;
  if (to - from > STRIDE) throw broken(`box "${table.type}" has no sums for a long chunk`);
  const { entrySize } = table;
  const start = Math.floor(from * entrySize);
  const end = Math.ceil(to * entrySize);
  const bytes = table.inline?.subarray(start, end) ?? source.read(table.offset + start, end - start);
  const view = viewOf(bytes);
  let sum = 0;
  if (entrySize === 4) {
    for (let at = 0; at < view.byteLength; at += 4) sum += view.getUint32(at);
    return sum;
  }
  const skipped = from - start / entrySize;
  for (let i = 0; i < to - from; i++) sum += sizeAt(view, skipped + i, entrySize);
  return sum;
}

function sizeAt(view: DataView, entry: number, entrySize: number): number {
  if (entrySize === 2) return view.getUint16(entry * 2);
  if (entrySize === 1) return view.getUint8(entry);
  const pair = view.getUint8(entry >>> 1);
  return entry % 2 === 0 ? pair >> 4 : pair & 0x0f;
}
