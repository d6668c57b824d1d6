import type { ByteSource } from '../byte-source.js';
import type { Reading } from '../reading.js';
import type { Segment } from './edit-list.js';
import type { SampledTrack } from './movie-index.js';
import { compositionOffset, decodeEnd, decodeStart, decodeTime, sampleAt } from './sample-time.js';
import { chunkOf } from './stsc.js';

/** What of a track must be decoded to present some segments of it. Times are those of the source, in ticks. */
export interface DecodeRange {
  /** First sample, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Decode times of `first` and `end`. */
  readonly firstTime: number;
  readonly endTime: number;
  /** Composition time of the sync sample that decoding needs first. */
  readonly composition: number;
  /** Ticks taken off the beginning of the first sample. */
  readonly trim: number;
  /** Ticks added to all composition offsets, so that no media time of the edit list is negative. */
  readonly shift: number;
  /** What is presented. */
  readonly segments: readonly Segment[];
}

/** Samples among which the next picture is sought. */
const REORDER_MAX = 64;
/** Text that is shown from a sample's beginning on; a sample can be made shorter. */
const TEXT = new Set(['text', 'sbtl', 'subt', 'subp', 'clcp']);

/**
 * Finds the samples for `segments`, of which there is at least one.
 *
 * Where the cut itself falls inside a sample, players differ. Those that follow the edit list to the letter show the rest of the sample; those
 * built on ffmpeg drop a picture or a text that began before the edit and present the next one in its place, too early. So that all of them agree,
 * such an edit of a video track begins with the next picture, after an empty edit, and the first sample of a text track is shortened.
 * Sound is cut inside a sample by all of them.
 *
 * @param toEnd whether to keep all samples up to the last
 */
export function* decodeRange(
  source: ByteSource,
  track: SampledTrack,
  segments: readonly Segment[],
  toEnd: boolean,
): Reading<DecodeRange> {
  const [segment] = segments as [Segment];
  const start = yield* decodeStart(source, track, segment.media);
  let { sample: first, composition } = start;
  let earliest = segment.media;
  for (const { media } of segments.slice(1)) {
    const other = yield* decodeStart(source, track, media);
    if (other.sample < first) ({ sample: first, composition } = other);
    earliest = Math.min(earliest, media);
  }
  first = Math.max(0, first - track.preroll);
  if (track.packetSamples > 1) first -= yield* samplesIntoPacket(source, track, first);
  const end = toEnd ? track.samples : Math.max(first + 1, yield* endOf(source, track, segments));
  const firstTime = yield* decodeTime(source, track, first);
  const endTime = yield* decodeTime(source, track, end);
  const range = {
    first,
    end,
    firstTime,
    endTime,
    composition,
    trim: 0,
    shift: Math.max(0, firstTime - earliest),
    segments,
  };

  const inside = start.composition !== segment.media && !segment.dwell;
  if (!inside || track.segments.some(other => other.start === segment.start)) return range;
  if (track.handler === 'vide') return { ...range, segments: yield* fromNextPicture(source, track, segments) };
  const isText = TEXT.has(track.handler) && track.core.ctts === undefined && first === start.sample;
  if (isText && earliest === segment.media && segment.media > firstTime)
    return { ...range, trim: segment.media - firstTime };
  return range;
}

/** Packets of old QuickTime sound can't be taken apart. */
function* samplesIntoPacket(source: ByteSource, track: SampledTrack, sample: number): Reading<number> {
  const chunk = yield* chunkOf(source, track.core.stsc, track.chunks, sample);
  return (sample - chunk.first) % track.packetSamples;
}

function* fromNextPicture(
  source: ByteSource,
  track: SampledTrack,
  segments: readonly Segment[],
): Reading<readonly Segment[]> {
  const [{ start, end, media, dwell }, ...rest] = segments as [Segment, ...Segment[]];
  const { next } = yield* picturesAround(source, track, media);
  if (next === undefined) return segments;
  const later = start + (next - media) / track.timescale;
  return later < end ? [{ start: later, end, media: next, dwell }, ...rest] : segments;
}

/** Composition times, in ticks, of the samples presented around a moment; undefined when there are none or order is too bad to tell. */
export interface PicturesAround {
  /** Of the last one before the moment or at it. */
  readonly before: number | undefined;
  /** Of the first one after the moment or at it. */
  readonly next: number | undefined;
}

/** Finds the samples presented around composition time `media`. */
export function* picturesAround(source: ByteSource, track: SampledTrack, media: number): Reading<PicturesAround> {
  let [before, next] = [-1, Number.POSITIVE_INFINITY];
  let sample = yield* sampleAt(source, track, media - track.greatestOffset);
  let inOrder = false;
  for (const limit = sample + REORDER_MAX; sample < limit && !inOrder; sample++) {
    if (sample === track.samples) break;
    const time = yield* decodeTime(source, track, sample);
    const composition = time + (yield* compositionOffset(source, track, sample));
    if (composition <= media) before = Math.max(before, composition);
    if (composition >= media) next = Math.min(next, composition);
    inOrder = time + track.leastOffset >= next;
  }
  const known = (inOrder || sample === track.samples) && next < Number.POSITIVE_INFINITY;
  return { before: before < 0 ? undefined : before, next: known ? next : undefined };
}

/** The sample after the last one that the segments need. */
function* endOf(source: ByteSource, track: SampledTrack, segments: readonly Segment[]): Reading<number> {
  let end = 0;
  for (const segment of segments) {
    const shown = segment.dwell ? 1 : Math.ceil((segment.end - segment.start) * track.timescale - 1e-4);
    end = Math.max(end, yield* decodeEnd(source, track, segment.media + shown));
  }
  return end;
}
