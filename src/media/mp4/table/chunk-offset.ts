import { native } from '../../../base/native.js';
import type { Reading } from '../../io/reading.js';
import { u32, u64 } from '../box/box.js';
import type { Scan } from '../box/box-scan.js';
import { broken } from '../box/broken.js';
import { sizeOf } from './sample-size.js';
import type { Chunk } from './stsc.js';
import { readEntries, streamTable, type Table } from './table.js';
import type { TableBytes } from './table-bytes.js';
import type { CoreTables, TrackIndex } from './track-index.js';

/** `stco`, `co64`: offsets of chunks in the file (ISO/IEC 14496-12 section 8.7.5). Columns: none. */

/** What the offsets of a track's chunks amount to. */
export interface OffsetSums {
  /** Least offset; 0 when there are no chunks. */
  readonly least: number;
  /** Greatest offset, and the number from 1 of the chunk that has it. */
  readonly greatest: number;
  readonly last: number;
  /** Whether no offset is less than the one before it. */
  readonly ordered: boolean;
}

/** Sums up the first `count` of a table of chunk offsets. */
export function* compileOffsets(scan: Scan, table: Table, count: number): Reading<OffsetSums> {
  if (count === 0) return { least: 0, greatest: 0, last: 0, ordered: true };
  const { entrySize } = table;
  // In the order of native/tables.h; the last is the offset before.
  const sums = Float64Array.of(Number.MAX_SAFE_INTEGER, -1, 0, 1, 0);
  yield* streamTable(scan, { ...table, count, length: count * entrySize }, (chunk, from) =>
    native.sumOffsets(chunk, from, entrySize, sums),
  );
  const [least, greatest, last, ordered] = sums as unknown as [number, number, number, number];
  return { least, greatest, last, ordered: ordered !== 0 };
}

/** Offset of chunk `number`, counted from 1. */
export function chunkOffset(source: TableBytes, table: Table, number: number): number {
  if (number < 1 || number > table.count) throw broken(`box "${table.type}" has no chunk ${number}`);
  const bytes = readEntries(source, table, number - 1, number);
  return table.entrySize === 8 ? u64(bytes, 0) : u32(bytes, 0);
}

/** What of a track `bytesInChunk` leans on. */
export type SizedTrack = Pick<TrackIndex, 'packetSamples' | 'packetBytes'> & {
  readonly core: Pick<CoreTables, 'stsz'>;
};

/** Bytes from the beginning of a chunk to its sample `sample`, which may be the one after its last. */
export function bytesInChunk(source: TableBytes, track: SizedTrack, chunk: Chunk, sample: number): number {
  if (track.packetSamples > 0) return Math.ceil((sample - chunk.first) / track.packetSamples) * track.packetBytes;
  return sizeOf(source, track.core.stsz, chunk.first, sample);
}
