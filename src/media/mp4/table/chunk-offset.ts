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
  const sums = { least: Number.MAX_SAFE_INTEGER, greatest: -1, last: 0, ordered: true };
  const { entrySize } = table;
  let previous = 0;
  yield* streamTable(scan, { ...table, count, length: count * entrySize }, (chunk, from) => {
    let { least, greatest, last, ordered } = sums;
    let before = previous;
    for (let at = 0, entry = from, end = chunk.byteLength; at < end; at += entrySize, entry++) {
      let offset = chunk.getUint32(at);
      if (entrySize === 8) offset = offset * 0x1_0000_0000 + chunk.getUint32(at + 4);
      if (offset < before) ordered = false;
      if (offset < least) least = offset;
      if (offset >= greatest) {
        greatest = offset;
        last = entry + 1;
      }
      before = offset;
    }
    previous = before;
    Object.assign(sums, { least, greatest, last, ordered });
  });
  return count === 0 ? { least: 0, greatest: 0, last: 0, ordered: true } : sums;
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
