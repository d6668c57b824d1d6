import { type Reading, read } from '../../io/reading.js';
import { u32 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { markBefore, marks, mendable, readEntries, STRIDE, streamTable, type Table, viewOf } from './table.js';
import type { TableBytes } from './table-bytes.js';
import { type TableCut, tableBody } from './table-cut.js';

/**
 * `stss`, sync samples (ISO/IEC 14496-12 section 8.6.2), and QuickTime's `stps`, partial sync samples: rising sample
 * numbers from 1. Column 0: the number in the entry at the mark.
 */

/**
 * Compiles a list of sample numbers. Those past the last of `samples` are left out; a list that counts from 0, as some
 * writers do, is mended.
 */
export function* compileSampleNumbers(scan: Scan, table: Table, samples: number): Reading<Table> {
  if (table.inline === undefined && table.count > 0 && u32(yield* read(scan.source, table.offset, 4), 0) === 0)
    return yield* compileSampleNumbers(scan, yield* fromOne(scan, table), samples);
  const numbers = new Float64Array(marks(table.count));
  let [last, count] = [0, 0];
  const inline = yield* streamTable(scan, table, (bytes, from) => {
    const chunk = viewOf(bytes);
    let [before, kept] = [last, count];
    for (let at = 0, entry = from, end = chunk.byteLength; at < end; at += 4, entry++) {
      const number = chunk.getUint32(at);
      if (number <= before) throw broken(`the samples of box "${table.type}" are not in order`);
      if (entry % STRIDE === 0) numbers[entry / STRIDE] = number;
      before = number;
      if (number <= samples) kept++;
    }
    [last, count] = [before, kept];
  });
  const length = count * 4;
  return { ...table, count, length, inline: inline?.subarray(0, length), columns: [numbers.subarray(0, marks(count))] };
}

/** The list counted from 1, in memory. */
function* fromOne(scan: Scan, table: Table): Reading<Table> {
  const entries = yield* mendable(scan, table);
  const view = viewOf(entries);
  for (let at = 0; at < entries.length; at += 4) view.setUint32(at, view.getUint32(at) + 1);
  return { ...table, inline: entries };
}

/** Number of entries whose sample, counted from 0, is below `sample`. */
function entriesBelow(source: TableBytes, table: Table, sample: number): number {
  const from = markBefore(table.columns[0]!, sample) * STRIDE;
  const to = Math.min(table.count, from + STRIDE);
  if (from >= to) return 0;
  const bytes = readEntries(source, table, from, to);
  let entry = 0;
  while (from + entry < to && u32(bytes, entry * 4) <= sample) entry++;
  return from + entry;
}

/**
 * Sync samples at or before `sample`, the last one first, all counted from 0.
 * @param most how many at most
 */
export function syncSamplesBefore(source: TableBytes, table: Table, sample: number, most: number): number[] {
  const end = entriesBelow(source, table, sample + 1);
  const from = Math.max(0, end - most);
  if (from === end) return [];
  const bytes = readEntries(source, table, from, end);
  const found: number[] = [];
  for (let at = bytes.length - 4; at >= 0; at -= 4) found.push(u32(bytes, at) - 1);
  return found;
}

/**
 * Sync samples after `sample`, in order, all counted from 0.
 * @param most how many at most
 */
export function syncSamplesAfter(source: TableBytes, table: Table, sample: number, most: number): number[] {
  const from = entriesBelow(source, table, sample + 1);
  const to = Math.min(table.count, from + most);
  if (from >= to) return [];
  const bytes = readEntries(source, table, from, to);
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) found.push(u32(bytes, at) - 1);
  return found;
}

/**
 * The entries for samples `[first, end)`, counted from `first`.
 * @param toEnd whether no entry speaks of a sample after `end`
 */
export function cutSampleNumbers(
  source: TableBytes,
  table: Table,
  first: number,
  end: number,
  toEnd: boolean,
): TableCut {
  const from = entriesBelow(source, table, first);
  const to = toEnd ? table.count : entriesBelow(source, table, end);
  const body = tableBody(table, from, to, first === 0 ? undefined : { word: 0, delta: -first });
  return { kind: 'entries', table, count: to - from, body };
}
