import { u32 } from '../box/box.js';
import type { BoxWriter } from '../box/box-writer.js';
import { viewOf } from './table.js';
import { REORDERED_AT_END, type TrackIndex } from './track-index.js';

/**
 * `cslg`, composition to decode (ISO/IEC 14496-12 section 8.6.1.4): version and flags, then five signed numbers of 32
 * bits, or of 64 in version 1: composition to decode shift, least and greatest distance from decoding to composition,
 * first composition time, end of the last.
 */

const FIELDS = 5;

/** Longest contents of the box. */
export const CSLG_MAX = 4 + FIELDS * 8;

/** Whether these are the whole contents of such a box. */
export function isCompositionShift(body: Uint8Array): boolean {
  return body.length === 4 + FIELDS * (body[0] === 1 ? 8 : 4);
}

/** What the box tells of the samples that a cut keeps. Times in ticks of the track. */
export interface KeptSamples {
  /** First sample, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Decode time of `first` in the source. */
  readonly firstTime: number;
  /** Ticks taken off the beginning of the first sample. */
  readonly trim: number;
  /** Ticks added to all composition offsets. */
  readonly shift: number;
  /** Least composition time of the samples, in the answer. */
  readonly leastComposition: number;
}

/**
 * Writes the box for the samples that are left.
 * @param body contents of the source's box
 */
export function writeCompositionShift(writer: BoxWriter, body: Uint8Array, track: TrackIndex, cut: KeptSamples): void {
  const wide = body[0] === 1;
  const view = viewOf(body);
  const field = (n: number): number => (wide ? Number(view.getBigInt64(4 + n * 8)) : u32(body, 4 + n * 4) | 0);
  // 0 says that the end is not known, as where a sample that is not kept may have decided.
  const whole = cut.end === track.samples && (cut.first === 0 || cut.first <= track.samples - REORDERED_AT_END);
  const end = whole ? track.mediaEnd - (cut.firstTime + cut.trim - cut.shift) : 0;
  const box = writer.open('cslg');
  writer.bytes(body.subarray(0, 4));
  for (const value of [
    Math.max(0, field(0) - cut.shift),
    field(1) + cut.shift,
    field(2) + cut.shift,
    cut.leastComposition,
    end,
  ]) {
    if (wide) writer.i64(value);
    else writer.u32(value >>> 0);
  }
  writer.close(box);
}
