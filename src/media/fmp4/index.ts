import { IndexReader, IndexWriter } from '../io/index-bytes.js';
import type { Region } from '../mp4/box/regions.js';
import type { FragmentTrack } from './movie.js';
import { type FragmentTable, readFragmentTable, tableWeight, writeFragmentTable } from './table.js';

/** All that a seek needs to know of a fragmented MP4. */
export interface FragmentIndex {
  /** Bytes of the object. */
  readonly size: number;
  /** `ftyp`. */
  readonly fileType: Region | undefined;
  /** `moov`. */
  readonly movie: Region;
  /** Whether `moov` has samples of its own, which come before those of the fragments. */
  readonly hasSamples: boolean;
  readonly tracks: readonly FragmentTrack[];
  /** The track that times and points are of. */
  readonly reference: FragmentTrack;
  /** Presentation time of the first frame, ticks of the reference track: second 0 of the file. */
  readonly base: number;
  /** Ticks of the reference track from `base` to the end. */
  readonly duration: number;
  /** Just past the last whole fragment, absolute. */
  readonly end: number;
  /** Absolute offsets at which a cut may begin, rising. At least one. */
  readonly positions: Float64Array;
  /** Presentation times there, ticks of the reference track. */
  readonly times: Float64Array;
  /** Whether the points were read in the fragments; otherwise they are what `sidx` or `mfra` claims. */
  readonly seen: boolean;
  /** Whether a sync sample is known to stand at each point. */
  readonly sync: boolean;
  /** Whether fragments say their decoding time (`tfdt`). */
  readonly timed: boolean;
  /**
   * Absolute offsets of all `moof`, when they tell by absolute offsets where samples are; undefined when a fragment may
   * be moved as it is.
   */
  readonly moofs: Float64Array | undefined;
  /** Every fragment; undefined when a cut is one part of the file as it is, but for `moofs`. */
  readonly table: FragmentTable | undefined;
}

/** Bytes that the index takes in memory. */
export function fragmentIndexWeight({ positions, times, moofs, tracks, table }: FragmentIndex): number {
  const rows = table ? tableWeight(table) : 0;
  return 500 + rows + positions.byteLength + times.byteLength + (moofs?.byteLength ?? 0) + tracks.length * 120;
}

/** The index as bytes. */
export function encodeFragmentIndex(index: FragmentIndex): Uint8Array {
  const { fileType, movie, tracks, positions, times, moofs, table } = index;
  const writer = new IndexWriter()
    .f64(index.size)
    .f64(fileType?.from ?? 0)
    .f64(fileType?.to ?? 0);
  writer.f64(movie.from).f64(movie.to).f64(index.base).f64(index.duration).f64(index.end);
  const flags = [index.hasSamples, index.seen, index.sync, moofs !== undefined, index.timed, table !== undefined];
  writer.u8(flags.reduce((bits, flag, i) => bits | (flag ? 1 << i : 0), 0));
  writer.u8(tracks.indexOf(index.reference)).u8(tracks.length);
  for (const track of tracks) {
    writer.u32(track.id).text(track.handler).u32(track.timescale).f64(track.shift);
    writer.u32(track.sampleDuration).u32(track.sampleSize).u32(track.sampleFlags).f64(track.ticks);
  }
  writer.rising(positions).rising(times);
  if (moofs) writer.rising(moofs);
  if (table) writeFragmentTable(writer, table);
  return writer.finish();
}

/**
 * The index that `encodeFragmentIndex` made for an object of `size` bytes, or undefined when the bytes are something
 * else.
 */
export function decodeFragmentIndex(bytes: Uint8Array, size: number): FragmentIndex | undefined {
  try {
    const reader = new IndexReader(bytes);
    if (reader.f64() !== size) return undefined;
    const fileType = { from: reader.whole(size), to: reader.whole(size) };
    const movie = { from: reader.whole(size), to: reader.whole(size) };
    const base = reader.whole(Number.MAX_SAFE_INTEGER);
    const duration = reader.whole(Number.MAX_SAFE_INTEGER - base);
    const end = reader.whole(size);
    const flags = reader.u8();
    const [chosen, count] = [reader.u8(), reader.u8()];
    const tracks = Array.from({ length: count }, () => readTrack(reader));
    const reference = tracks[chosen];
    const positions = reader.rising(end - 1, true);
    const times = reader.rising(Number.MAX_SAFE_INTEGER, false);
    const moofs = flags & 8 ? reader.rising(end - 1, true) : undefined;
    const table = flags & 32 ? readFragmentTable(reader, count, size) : undefined;
    reader.end();
    if (!reference || positions.length === 0 || positions.length !== times.length) return undefined;
    if (fileType.from > fileType.to || movie.from >= movie.to || positions[0]! < movie.to) return undefined;
    return {
      size,
      fileType: fileType.to > 0 ? fileType : undefined,
      movie,
      hasSamples: (flags & 1) !== 0,
      tracks,
      reference,
      base,
      duration,
      end,
      positions,
      times,
      seen: (flags & 2) !== 0,
      sync: (flags & 4) !== 0,
      timed: (flags & 16) !== 0,
      moofs,
      table,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readTrack(reader: IndexReader): FragmentTrack {
  const [id, handler, timescale, shift] = [reader.u32(), reader.text(), reader.u32(), reader.f64()];
  if (timescale === 0 || !Number.isSafeInteger(shift)) throw new RangeError('a track of the index is broken');
  const [sampleDuration, sampleSize, sampleFlags] = [reader.u32(), reader.u32(), reader.u32()];
  const ticks = reader.whole(Number.MAX_SAFE_INTEGER);
  return { id, handler, timescale, shift, sampleDuration, sampleSize, sampleFlags, ticks };
}
