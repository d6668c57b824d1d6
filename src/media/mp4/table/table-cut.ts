import { type LiteralSpan, literal, type PatchedSpan, type SourceSpan, source } from '../../../virtual-file/span.js';
import type { Table } from './table.js';
import { NibblePatch, WordPatch } from './table-patch.js';

/** A table with only the entries of a cut: a few words that we made, a run of the object's entries, a few words. */
export interface TableCut {
  readonly kind: 'entries';
  readonly table: Table;
  /** Entries of the cut, for the entry count. */
  readonly count: number;
  /** 32-bit words before the run. */
  readonly head?: readonly number[];
  readonly body?: LiteralSpan | SourceSpan | PatchedSpan | undefined;
  /** 32-bit words after the run. */
  readonly tail?: readonly number[];
}

/**
 * A table of file offsets in a cut: an offset that we reckoned, then entries of the object, all to be moved along with
 * the media.
 */
export interface OffsetCut {
  readonly kind: 'offsets';
  readonly table: Table;
  /** Offset in the object; undefined when there are no entries at all. */
  readonly first: number | undefined;
  /** Entries `[from, to)` of the table follow. */
  readonly from: number;
  readonly to: number;
}

/** A table of one file offset, that of the entries of another table of the answer. */
export interface PointerCut {
  readonly kind: 'pointer';
  readonly table: Table;
  /** The other table. */
  readonly to: Table;
}

/** A number to be added, modulo 2^32, to the 32-bit word at byte `word` of each entry. */
export interface WordShift {
  readonly word: number;
  readonly delta: number;
}

/** Entries `[from, to)` of a table as a span, literal when the table is inline; undefined when there are none. */
export function tableBody(table: Table, from: number, to: number, shift?: WordShift): TableCut['body'] {
  if (from >= to || table.entrySize === 0) return undefined;
  const offset = table.offset + Math.floor(from * table.entrySize);
  const length = Math.ceil((to - from) * table.entrySize);
  if (table.entrySize === 0.5 && from % 2 === 1) {
    return { kind: 'patched', length, patch: new NibblePatch(offset, table.offset + Math.ceil(to / 2)) };
  }
  const patch = shift === undefined ? undefined : new WordPatch(offset, table.entrySize, shift.word, shift.delta);
  if (table.inline !== undefined) {
    // Not `slice`, which gives a view when the table is a Buffer; the entries are about to be patched.
    const entries = new Uint8Array(table.inline.subarray(offset - table.offset, offset - table.offset + length));
    patch?.apply(entries, 0, length, entries);
    return literal(entries);
  }
  return patch === undefined ? source(offset, length) : { kind: 'patched', length, patch };
}
