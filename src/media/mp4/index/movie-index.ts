import type { BoxHead } from '../box/box.js';
import type { KeptBox } from '../box/box-scan.js';
import type { Piece, TrackIndex } from '../table/track-index.js';

/** The compiled seek index of a progressive MP4. Immutable. */
export interface MovieIndex {
  /** Bytes of the object. */
  readonly size: number;
  /** `ftyp`, when the file has one before its movie box. */
  readonly fileType: KeptBox | undefined;
  /** Bytes up to the end of `ftyp`: those that stay in front of everything. */
  readonly front: number;
  readonly movie: BoxHead;
  /** Whether the movie box stands before the media. */
  readonly movieFirst: boolean;
  /** Whether all file offsets are known, so that the movie box can be moved. */
  readonly movable: boolean;
  /** Units per second of `mvhd`, more than 0. */
  readonly timescale: number;
  readonly pieces: readonly Piece[];
  readonly tracks: readonly TrackIndex[];
}

/** Second at which the presentation ends: that of the longest track, by its samples. */
export function durationOf(index: MovieIndex): number {
  let duration = 0;
  for (const { segments } of index.tracks) for (const { end } of segments) duration = Math.max(duration, end);
  return duration;
}

/** Bytes that an index takes in memory, about. */
export function weightOf(index: MovieIndex): number {
  // `core` holds tables of `tables`, which count once.
  return weigh({ ...index, tracks: index.tracks.map(track => ({ ...track, core: undefined })) });
}

function weigh(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return 96 + value.byteLength;
  let sum = 32;
  for (const field of Object.values(value)) sum += 8 + weigh(field);
  return sum;
}
