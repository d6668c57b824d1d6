import { broken } from '../box/broken.js';
import type { Region } from '../box/regions.js';
import { cutAuxiliary, sencOf } from '../table/auxiliary.js';
import { bytesInChunk, chunkOffset } from '../table/chunk-offset.js';
import type { Segment } from '../table/edit-list.js';
import { cutRuns } from '../table/run-table.js';
import { cutSenc } from '../table/senc.js';
import { chunkOf, cutChunks, type SampleRange } from '../table/stsc.js';
import { cutSampleNumbers } from '../table/stss.js';
import { cutSubs } from '../table/subs.js';
import type { Table } from '../table/table.js';
import { mapTogether, type TableBytes } from '../table/table-bytes.js';
import { type OffsetCut, type PointerCut, type TableCut, tableBody } from '../table/table-cut.js';
import { hasSamples, type SampledTrack, type TrackIndex } from '../table/track-index.js';
import { type DecodeRange, decodeRange, leastComposition } from './decode-range.js';

/** The samples of a track that a cut keeps, and everything that is told of them. */
export interface TrackCut extends DecodeRange {
  /** Cuts of `TrackIndex.tables`, in the same order. */
  readonly tables: readonly AnyCut[];
  /**
   * Least composition time of the samples, in the ticks of the answer, where the track has a `cslg` that tells it;
   * otherwise 0.
   */
  readonly leastComposition: number;
  /** Bytes of the object that the samples need. Where the movie box stands among them, it is not meant. */
  readonly regions: readonly Region[];
  /** Bytes of the object with the samples' auxiliary information, which may be part of the movie box. */
  readonly auxiliary: readonly Region[];
}

/** A table of a cut. */
export type AnyCut = TableCut | OffsetCut | PointerCut;

/**
 * Cuts one track.
 * @param segments what is to be presented, in order
 * @param toEnd whether to keep all samples up to the last
 * @throws EdgeError `unplayable`
 */
export function cutTrack(
  source: TableBytes,
  track: TrackIndex,
  segments: readonly Segment[],
  toEnd: boolean,
): TrackCut {
  if (!hasSamples(track) || segments.length === 0) return emptyCut(track);
  const { stsc, stco } = track.core;
  const decoded = decodeRange(source, track, segments, toEnd);
  const { first, end, firstTime, endTime, shift, trim } = decoded;
  const head = chunkOf(source, stsc, track.chunks, first);
  const tail = end === track.samples ? track.tail : chunkOf(source, stsc, track.chunks, end - 1);
  if (head.number > tail.number) throw broken(`the chunks of track ${track.id} are not in order`);
  const range: SampleRange = { first, end, head, tail };
  const from = chunkOffset(source, stco, head.number) + bytesInChunk(source, track, head, first);
  const regions: Region[] = [{ from, to: mediaEnd(source, track, range) }];
  if (!track.ordered) regions.push(track.extent);
  const auxiliary: Region[] = [];
  const change: Change = { range, from, shift, trim, auxiliary };
  const tables = mapTogether(track.tables, table => cutTable(source, track, table, change));
  const hasShift = track.pieces.some(({ kind }) => kind === 'cslg');
  const least = hasShift ? leastComposition(source, track, decoded) : 0;
  // Named one by one: a spread of so many fields takes as long as the rest of the cut.
  return {
    first,
    end,
    firstTime,
    endTime,
    trim,
    shift,
    segments: decoded.segments,
    leastComposition: least,
    tables,
    regions,
    auxiliary,
  };
}

/** A track that has nothing to present keeps its place, without samples. */
function emptyCut(track: TrackIndex): TrackCut {
  const tables = track.tables.map((table): TableCut | OffsetCut =>
    ['stco', 'co64', 'saio'].includes(table.type)
      ? { kind: 'offsets', table, first: undefined, from: 0, to: 0 }
      : { kind: 'entries', table, count: 0 },
  );
  const none = { first: 0, end: 0, firstTime: 0, endTime: 0, leastComposition: 0, trim: 0, shift: 0 };
  return { ...none, segments: [], tables, regions: [], auxiliary: [] };
}

/** What happens to the tables of a track. */
interface Change {
  readonly range: SampleRange;
  /** Offset in the object of the first sample. */
  readonly from: number;
  readonly shift: number;
  readonly trim: number;
  /** Takes where auxiliary information stands. */
  readonly auxiliary: Region[];
}

function cutTable(
  source: TableBytes,
  track: SampledTrack,
  table: Table,
  { range, from, shift, trim, auxiliary }: Change,
): AnyCut {
  const { first, end, head, tail } = range;
  switch (table.type) {
    case 'stts':
      return cutRuns(source, table, first, end, { trim });
    case 'ctts':
      return cutRuns(source, table, first, end, { shift, padded: true });
    case 'sbgp':
      return cutRuns(source, table, first, end);
    case 'stsc':
      return cutChunks(table, range);
    case 'stco':
    case 'co64':
      return { kind: 'offsets', table, first: from, from: head.number, to: tail.number };
    case 'stss':
    case 'stps':
      return cutSampleNumbers(source, table, first, end, end === track.samples);
    case 'subs':
      return cutSubs(source, table, first, end);
    case 'senc':
    case 'uuid':
      return cutSenc(source, table, first, end);
    case 'saio': {
      const senc = sencOf(track.tables, table);
      if (senc !== undefined) return { kind: 'pointer', table, to: senc };
      const { cut, region } = cutAuxiliary(source, track, table, range);
      auxiliary.push(region);
      return cut;
    }
    default:
      return cutSamples(table, first, end);
  }
}

/** A table with an entry for each sample, as far as it goes: `stsz`, `stz2`, `sdtp`, `stdp`, `padb`, `saiz`. */
function cutSamples(table: Table, first: number, end: number): TableCut {
  const limit = Math.min(end, table.count);
  return { kind: 'entries', table, count: Math.max(0, limit - first), body: tableBody(table, first, limit) };
}

/** Offset in the object just past the last sample. */
function mediaEnd(source: TableBytes, track: SampledTrack, { end, tail }: SampleRange): number {
  if (end === track.samples) return track.extent.to;
  const offset = chunkOffset(source, track.core.stco, tail.number);
  const to = offset + bytesInChunk(source, track, tail, end);
  if (to > source.size) throw broken(`a sample of track ${track.id} ends at byte ${to}, past the end of the file`);
  return to;
}
