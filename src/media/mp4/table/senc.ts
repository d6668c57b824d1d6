import { READ_MAX } from '../../../base/byte-source.js';
import { type Reading, read } from '../../io/reading.js';
import type { Scan } from '../box/box-scan.js';
import { marks, STRIDE, type Table } from './table.js';
import type { TableBytes } from './table-bytes.js';
import { type TableCut, tableBody } from './table-cut.js';

/**
 * `senc`, sample encryption (ISO/IEC 23001-7 section 7.2), and the `uuid` box that was its forerunner (Protected
 * Interoperable File Format 1.3, section 5.3.2): for each sample an initialization vector and, with flag 2, a count of
 * sub-samples and 6 bytes for each. Players read it rather than what `saio` leads to.
 * Column 0: byte of the table at which the entry at the mark begins. Column 1: bytes of an initialization vector.
 */

/** Sizes of initialization vectors; none where all samples share one. */
const VECTORS = [8, 16, 0] as const;
const SUB_SAMPLES = 2;
const SUB_SAMPLE = 6;
/** Most bytes of `STRIDE` entries, so that a look-up is one read. */
const STRIDE_MAX = READ_MAX;

/** Whether a box may be, or a table is, one of sample encryption. */
export function isSenc({ type }: { readonly type: string }): boolean {
  return type === 'senc' || type === 'uuid';
}

/**
 * Compiles the box; undefined when its entries can't be told apart, as where groups of samples have vectors of other
 * sizes.
 */
export function* compileSenc(scan: Scan, table: Table): Reading<Table | undefined> {
  const flags = flagsOf(table);
  if (versionOf(table) !== 0 || table.count === 0) return undefined;
  for (const vector of VECTORS) {
    const hasSubSamples = (flags & SUB_SAMPLES) !== 0;
    if (!hasSubSamples && (vector === 0 || table.length !== table.count * vector)) continue;
    const positions = yield* walk(scan, table, vector, hasSubSamples);
    if (positions !== undefined)
      return { ...table, columns: [positions, new Float64Array(positions.length).fill(vector)] };
  }
  return undefined;
}

/** Where version and flags stand in the prelude: the older box has its type before them. */
function at(table: Table): number {
  return table.type === 'uuid' ? 16 : 0;
}

function versionOf(table: Table): number {
  return table.prelude[at(table)]!;
}

function flagsOf(table: Table): number {
  return table.prelude[at(table) + 3]!;
}

/** Where every `STRIDE`th entry begins; undefined when entries with such vectors do not end where the table does. */
function* walk(scan: Scan, table: Table, vector: number, hasSubSamples: boolean): Reading<Float64Array | undefined> {
  if ((vector + (hasSubSamples ? 2 : 0)) * table.count > table.length) return undefined;
  const positions = new Float64Array(marks(table.count));
  let window: Uint8Array = new Uint8Array(0);
  let [from, position] = [0, 0];
  for (let entry = 0; entry < table.count; entry++) {
    if (entry % STRIDE === 0) {
      positions[entry / STRIDE] = position;
      if (entry > 0 && position - positions[entry / STRIDE - 1]! > STRIDE_MAX) return undefined;
    }
    const head = vector + (hasSubSamples ? 2 : 0);
    if (position + head > table.length) return undefined;
    if (hasSubSamples && position - from + head > window.length) {
      from = position;
      window = yield* read(scan.source, table.offset + from, Math.min(WINDOW, table.length - from));
    }
    position += hasSubSamples ? entrySize(window, position - from, vector) : vector;
  }
  const last = positions[positions.length - 1]!;
  return position === table.length && position - last <= STRIDE_MAX ? positions : undefined;
}

const WINDOW = 64 * 1024;

function entrySize(bytes: Uint8Array, at: number, vector: number): number {
  return vector + 2 + SUB_SAMPLE * ((bytes[at + vector]! << 8) | bytes[at + vector + 1]!);
}

/** The entries for samples `[first, end)`. */
export function cutSenc(source: TableBytes, table: Table, first: number, end: number): TableCut {
  const limit = Math.min(end, table.count);
  if (first >= limit) return { kind: 'entries', table, count: 0 };
  const from = positionOf(source, table, first);
  const to = positionOf(source, table, limit);
  const bytes: Table = { ...table, entrySize: 1 };
  return { kind: 'entries', table, count: limit - first, body: tableBody(bytes, from, to) };
}

/** Byte of the table at which the entry begins; that of the entry after the last is where the table ends. */
function positionOf(source: TableBytes, table: Table, entry: number): number {
  if (entry === table.count) return table.length;
  const [positions, vectors] = table.columns as [Float64Array, Float64Array];
  const mark = Math.floor(entry / STRIDE);
  const start = positions[mark]!;
  if (entry === mark * STRIDE) return start;
  const vector = vectors[mark]!;
  if ((flagsOf(table) & SUB_SAMPLES) === 0) return entry * vector;
  const bytes = source.read(table.offset + start, (positions[mark + 1] ?? table.length) - start);
  let position = 0;
  for (let i = mark * STRIDE; i < entry; i++) position += entrySize(bytes, position, vector);
  return start + position;
}
