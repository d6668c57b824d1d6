import type { IndexReader, IndexWriter } from '../io/index-bytes.js';

/**
 * Every fragment of a film, where a cut must choose among them or write them anew: when tracks are not side by side,
 * decoding times are missing, or data are not behind their `moof`. Fragments are counted from 0 in the order of the
 * file; each reaches from the first box that belongs to it to the first one of the next.
 */
export interface FragmentTable {
  /** Absolute offsets of the fragments and, last, of where they end; rising. */
  readonly starts: Float64Array;
  /** Absolute offsets of their `moof`, and bytes of it. */
  readonly moofs: Float64Array;
  readonly sizes: Float64Array;
  /** Bytes of the `moof` when it is written anew; 0 for one that may be moved together with its data as it is. */
  readonly lengths: Float64Array;
  /**
   * Bytes `[from, to)` of the data of each fragment, when some are not behind their `moof`; from 0 to 0 for those that
   * are.
   */
  readonly data: { readonly from: Float64Array; readonly to: Float64Array } | undefined;
  /** Of each track of the index, in its order. */
  readonly tracks: readonly TrackFragments[];
  /** Bytes of an answer of all fragments before each; not stored. */
  readonly outputs: Float64Array;
}

/** The track fragments of a track, in the order of the file. Times are decoding times, ticks; some begin before 0. */
export interface TrackFragments {
  /** Number of the fragment of each. */
  readonly fragments: Float64Array;
  readonly begins: Float64Array;
  readonly ends: Float64Array;
  /** 1 where the first sample is a sync sample. */
  readonly sync: Float64Array;
}

/** Greatest and least time in ticks. */
export const [TIME_MAX, TIME_MIN] = [2 ** 51, -(2 ** 50)];

/** Completes a table. */
export function makeTable(rows: Omit<FragmentTable, 'outputs'>): FragmentTable {
  const { starts, sizes, lengths } = rows;
  const outputs = new Float64Array(starts.length);
  for (let i = 0; i < sizes.length; i++) {
    const moof = lengths[i]! > 0 ? lengths[i]! - sizes[i]! : 0;
    outputs[i + 1] = outputs[i]! + starts[i + 1]! - starts[i]! + moof;
  }
  return { ...rows, outputs };
}

/** Bytes that the table takes in memory. */
export function tableWeight({ starts, data, tracks }: FragmentTable): number {
  const columns = data ? 7 : 5;
  return 400 + starts.byteLength * columns + tracks.reduce((sum, { begins }) => sum + 400 + begins.byteLength * 4, 0);
}

export function writeFragmentTable(
  writer: IndexWriter,
  { starts, moofs, sizes, lengths, data, tracks }: FragmentTable,
): void {
  writer.rising(starts).rising(moofs).row(sizes).row(lengths);
  writer.u8(data ? 1 : 0);
  if (data) writer.row(data.from).row(data.to);
  for (const { fragments, begins, ends, sync } of tracks) {
    writer.rising(fragments).row(begins).row(ends).row(sync);
  }
}

/**
 * @param tracks of the index
 * @param size bytes of the object
 * @throws RangeError when the bytes can't be a table
 */
export function readFragmentTable(reader: IndexReader, tracks: number, size: number): FragmentTable {
  const starts = reader.rising(size, true);
  const moofs = reader.rising(size, true);
  const [sizes, lengths] = [reader.row(size), reader.row(size)];
  const count = moofs.length;
  const data = reader.u8() === 1 ? { from: reader.row(size), to: reader.row(size) } : undefined;
  const columns = Array.from({ length: tracks }, () => {
    const fragments = reader.rising(count - 1, false);
    const [begins, ends, sync] = [reader.row(TIME_MAX, TIME_MIN), reader.row(TIME_MAX, TIME_MIN), reader.row(1)];
    for (const row of [begins, ends, sync]) if (row.length !== fragments.length) throw mismatch();
    return { fragments, begins, ends, sync };
  });
  if (count === 0 || starts.length !== count + 1 || sizes.length !== count || lengths.length !== count)
    throw mismatch();
  if (data && (data.from.length !== count || data.to.length !== count)) throw mismatch();
  for (let i = 0; i < count; i++) {
    const inside = moofs[i]! >= starts[i]! && sizes[i]! >= 8 && moofs[i]! + sizes[i]! <= starts[i + 1]!;
    if (!inside || (data && data.to[i]! < data.from[i]!)) throw mismatch();
  }
  return makeTable({ starts, moofs, sizes, lengths, data, tracks: columns });
}

function mismatch(): RangeError {
  return new RangeError('the fragments of the index do not fit together');
}
