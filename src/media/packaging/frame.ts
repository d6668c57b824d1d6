import { lastAtMost } from '../../base/last-at-most.js';
import { literal, type Span, source } from '../../virtual-file/span.js';
import { NON_SYNC } from '../fmp4/moof.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import { movieOfOne } from './init-segment.js';
import type { PackageTrack, SampleRun, SegmentRows } from './media-package.js';
import { packagedEntry } from './packaged-entry.js';

/** A key frame of a track. */
export interface Frame {
  /** Number of its sample, as the source counts. */
  readonly sample: number;
  /** When it is presented, ticks of the package's timeline. */
  readonly time: number;
  /** The sample alone. */
  readonly run: SampleRun;
}

/** The segment in which the last sample presented at or before `ticks` lies; the first one for what is before it. */
export function rowAt({ count, begins }: SegmentRows, ticks: number): number {
  return Math.max(0, lastAtMost(begins.subarray(0, count), ticks));
}

/**
 * The key frame of a segment that is presented last of those at or before `ticks`; undefined when none is.
 * @param run samples of the segment
 */
export function keyFrameAt(track: PackageTrack, row: number, run: SampleRun, ticks: number): Frame | undefined {
  let decoding = track.segments.times[row]! - track.editMedia;
  let found: { readonly at: number; readonly time: number } | undefined;
  for (let at = 0; at < run.count; at++) {
    const time = decoding + run.compositions[at]!;
    decoding += run.durations[at]!;
    const isKey = (run.flags[at]! & NON_SYNC) === 0;
    if (isKey && time <= ticks && time >= (found?.time ?? time)) found = { at, time };
  }
  return found && { sample: track.segments.samples[row]! + found.at, time: found.time, run: only(run, found.at) };
}

/** The first sample of a track, which is a key frame, as that of each segment is. */
export function firstFrame({ segments, editMedia }: PackageTrack, run: SampleRun): Frame {
  const time = segments.times[0]! - editMedia + run.compositions[0]!;
  return { sample: segments.samples[0]!, time, run: only(run, 0) };
}

function only(run: SampleRun, at: number): SampleRun {
  return {
    count: 1,
    offsets: run.offsets.slice(at, at + 1),
    sizes: run.sizes.slice(at, at + 1),
    durations: run.durations.slice(at, at + 1),
    compositions: run.compositions.slice(at, at + 1),
    flags: run.flags.slice(at, at + 1),
  };
}

const U32_MAX = 0xffff_ffff;

/** The spans of an MP4 (ISO/IEC 14496-12) of one frame, which lasts as long as in its film and begins at 0. */
export function frameSpans(track: PackageTrack, { run }: Frame): Span[] {
  const [size, offset] = [run.sizes[0]!, run.offsets[0]!];
  const isLong = size + 8 > U32_MAX;
  const sample = { duration: Math.max(1, run.durations[0]!), size };
  const movie = movieOfOne(track, packagedEntry(track, false), sample, isLong ? 16 : 8);
  const writer = new BoxWriter(movie.length + 16);
  writer.bytes(movie);
  writer.u32(isLong ? 1 : size + 8);
  writer.fourcc('mdat');
  if (isLong) writer.u64(size + 16);
  const head = literal(writer.take());
  return size === 0 ? [head] : [head, source(offset, size)];
}
