import type { Segment } from '../table/edit-list.js';
import { compositionOffset, decodeEnd, decodeStart, decodeTime, sampleAt } from '../table/sample-time.js';
import { chunkOf } from '../table/stsc.js';
import type { TableBytes } from '../table/table-bytes.js';
import type { SampledTrack } from '../table/track-index.js';

/** What of a track must be decoded to present some segments of it. Times are those of the source, in ticks. */
export interface DecodeRange {
  /** First sample, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Decode times of `first` and `end`. */
  readonly firstTime: number;
  readonly endTime: number;
  /** Ticks taken off the beginning of the first sample. */
  readonly trim: number;
  /** Ticks added to all composition offsets, so that no media time of the edit list is negative. */
  readonly shift: number;
  /** What is presented. */
  readonly segments: readonly Segment[];
}

/** Samples among which the next picture, or the first one presented, is sought. */
const REORDER_MAX = 64;

/**
 * Finds the samples for `segments`, of which there is at least one.
 *
 * Where the cut itself falls inside a sample, players differ. Those that follow the edit list to the letter show the
 * rest of the sample; those built on ffmpeg drop a picture, a text or metadata that began before the edit and present
 * the next one in its place, too early. So that all of them agree, the sample is shortened where it is the first that
 * is kept; otherwise such an edit of a video track begins with the next picture, after an empty edit. Sound is cut
 * inside a sample by all of them, but not inside a packet of samples.
 *
 * @param wanted the segments
 * @param toEnd whether to keep all samples up to the last
 */
export function decodeRange(
  source: TableBytes,
  track: SampledTrack,
  wanted: readonly Segment[],
  toEnd: boolean,
): DecodeRange {
  const segments = track.packetSamples > 1 ? fromPacket(source, track, wanted) : wanted;
  const [segment] = segments as [Segment];
  const earliest = segments.reduce((least, { media }) => Math.min(least, media), segment.media);
  const start = decodeStart(source, track, earliest);
  let first = Math.max(0, start.sample - track.preroll);
  if (track.packetSamples > 1) first = startOfPacket(source, track, first);
  let end = toEnd ? track.samples : Math.max(first + 1, endOf(source, track, segments));
  if (track.packetSamples > 1 && end < track.samples) end = endOfPacket(source, track, end);
  const firstTime = decodeTime(source, track, first);
  const endTime = decodeTime(source, track, end);
  const shift = Math.max(0, firstTime - earliest);
  const { composition } = start;
  const range = { first, end, firstTime, endTime, trim: 0, shift, segments };

  const ownBeginning = track.segments.some(other => other.start === segment.start);
  const inside = segment.media !== composition && !segment.dwell;
  if (ownBeginning || !inside || track.handler === 'soun') return range;
  const around = picturesAround(source, track, segment.media);
  const trim = segment.media - composition;
  const isFirst = around.before === composition && first === start.sample && segment.media === earliest;
  if (isFirst && trim < decodeTime(source, track, first + 1) - firstTime) {
    return { ...range, trim, shift: Math.max(0, firstTime - composition) };
  }
  return track.handler === 'vide' ? { ...range, segments: fromPicture(segments, around.next, track.timescale) } : range;
}

/** Least composition time, in the ticks of the answer, of the samples kept. */
export function leastComposition(source: TableBytes, track: SampledTrack, range: DecodeRange): number {
  const { first, end, firstTime, trim, shift } = range;
  let least = Number.POSITIVE_INFINITY;
  for (let sample = first; sample < Math.min(end, first + REORDER_MAX); sample++) {
    const time = decodeTime(source, track, sample) - firstTime - (sample > first ? trim : 0) + shift;
    if (time + track.leastOffset >= least) break;
    least = Math.min(least, time + compositionOffset(source, track, sample));
  }
  return least;
}

/** The first sample of the packet of QuickTime sound that holds `sample`. */
export function startOfPacket(source: TableBytes, track: SampledTrack, sample: number): number {
  const chunk = chunkOf(source, track.core.stsc, track.chunks, sample);
  return sample - ((sample - chunk.first) % track.packetSamples);
}

/** The sample after the last of the packet that holds sample `end - 1`; packets end with their chunk. */
function endOfPacket(source: TableBytes, track: SampledTrack, end: number): number {
  const chunk = chunkOf(source, track.core.stsc, track.chunks, end - 1);
  const packets = Math.ceil((end - chunk.first) / track.packetSamples);
  return Math.min(chunk.first + packets * track.packetSamples, chunk.first + chunk.samples, track.samples);
}

/**
 * The segments, of which the first, where the cut falls into a packet, begins with the next packet, when it has one.
 */
function fromPacket(source: TableBytes, track: SampledTrack, segments: readonly Segment[]): readonly Segment[] {
  const [{ start, end, media, dwell }, ...rest] = segments as [Segment, ...Segment[]];
  if (dwell || track.segments.some(other => other.start === start)) return segments;
  const sample = sampleAt(source, track, media);
  const first = startOfPacket(source, track, sample);
  if (decodeTime(source, track, first) >= media) return segments;
  const next = decodeTime(source, track, endOfPacket(source, track, sample + 1));
  const later = start + (next - media) / track.timescale;
  return later < end ? [{ start: later, end, media: next, dwell }, ...rest] : segments;
}

/** The segments, of which the first begins with the picture of composition time `next`, when it has one. */
function fromPicture(segments: readonly Segment[], next: number | undefined, timescale: number): readonly Segment[] {
  const [{ start, end, media, dwell }, ...rest] = segments as [Segment, ...Segment[]];
  const later = next === undefined ? end : start + (next - media) / timescale;
  return later < end ? [{ start: later, end, media: next!, dwell }, ...rest] : segments;
}

/**
 * Composition times, in ticks, of the samples presented around a moment; undefined when there are none or order is too
 * bad to tell.
 */
export interface PicturesAround {
  /** Of the last one before the moment or at it. */
  readonly before: number | undefined;
  /** Of the first one after the moment or at it. */
  readonly next: number | undefined;
}

/** Finds the samples presented around composition time `media`. */
export function picturesAround(source: TableBytes, track: SampledTrack, media: number): PicturesAround {
  let [before, next] = [-1, Number.POSITIVE_INFINITY];
  let sample = sampleAt(source, track, media - track.greatestOffset);
  let inOrder = false;
  for (const limit = sample + REORDER_MAX; sample < limit && !inOrder; sample++) {
    if (sample === track.samples) break;
    const time = decodeTime(source, track, sample);
    const composition = time + compositionOffset(source, track, sample);
    if (composition <= media) before = Math.max(before, composition);
    if (composition >= media) next = Math.min(next, composition);
    inOrder = time + track.leastOffset >= next;
  }
  const known = (inOrder || sample === track.samples) && next < Number.POSITIVE_INFINITY;
  return { before: before < 0 ? undefined : before, next: known ? next : undefined };
}

/** The sample after the last one that the segments need. */
function endOf(source: TableBytes, track: SampledTrack, segments: readonly Segment[]): number {
  let last = 0;
  for (const segment of segments) {
    const shown = segment.dwell ? 1 : Math.ceil((segment.end - segment.start) * track.timescale - 1e-4);
    last = Math.max(last, segment.media + shown);
  }
  return decodeEnd(source, track, last);
}
