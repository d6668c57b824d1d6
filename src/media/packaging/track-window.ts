import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { broken } from '../mp4/box/broken.js';
import type { Candidate } from './candidates.js';
import type { SampleRun } from './media-package.js';
import { RunBuffer, type SourceTrack, SYNC } from './source-track.js';

/** The samples of a track that a package has. */
export interface TrackWindow {
  readonly candidate: Candidate;
  /** `[first, end)`; the first is a sync sample. */
  readonly first: number;
  readonly end: number;
  /** Second of the source's presentation at which its presentation begins. */
  readonly begin: number;
  /** Composition time of `first`, and its composition offset; ticks. */
  readonly firstPresented: number;
  readonly composition: number;
  /** What most samples have, ticks and bytes. */
  readonly usual: { readonly duration: number; readonly size: number };
}

/** Samples at the beginning that tell what is usual and what is presented first. */
const HEAD = 256;
/** Samples looked at at once for the first sync sample. */
const SEARCH = 4096;
/** Seconds before and behind what an edit list presents that are kept: priming and padding. */
const MARGIN = 1;

/**
 * All of a track that a package has: of pictures from the key frame on that is needed for the first one presented; of
 * others all, but for what an edit list hides for long.
 * @throws EdgeError `unplayable` when none of it can be decoded
 */
export function* wholeOf(source: MeteredSource, candidate: Candidate): Reading<TrackWindow> {
  const { track, kind, presentation } = candidate;
  const { media } = presentation;
  const margin = MARGIN * track.timescale;
  let first = 0;
  if (media > (kind === 'video' ? 0 : margin)) first = yield* startOf(source, candidate, media);
  const last = media + (presentation.end - presentation.start) * track.timescale;
  const hides = track.mediaEnd - last > margin;
  const end = hides ? yield* track.endAt(source, Math.ceil(last)) : track.samples;
  const window = yield* windowOf(source, candidate, first, end);
  if (window === undefined) throw broken('it has no key frames');
  return window;
}

/**
 * The part of a window that is presented in seconds `[from, to)` of the source's presentation, with what it needs to be
 * decoded; undefined when nothing is.
 */
export function* clipOf(
  source: MeteredSource,
  { candidate, first, end }: TrackWindow,
  from: number,
  to: number,
): Reading<TrackWindow | undefined> {
  const { track, presentation } = candidate;
  const mediaOf = (second: number) => presentation.media + (second - presentation.start) * track.timescale;
  // A tick before, since a second that was made of ticks may be a little less than they.
  const [start, stop] = [Math.floor(mediaOf(from) + 0.01), Math.ceil(mediaOf(to) - 0.01)];
  if (start >= track.mediaEnd) return undefined;
  const begins = start <= 0 ? first : Math.max(first, yield* startOf(source, candidate, start));
  const ends = stop >= track.mediaEnd ? end : stop <= 0 ? 0 : Math.min(end, yield* track.endAt(source, stop));
  return begins < ends ? yield* windowOf(source, candidate, begins, ends) : undefined;
}

/** The sample from which on decoding gives what is presented at composition time `media`. */
function* startOf(source: MeteredSource, { track }: Candidate, media: number): Reading<number> {
  return Math.max(0, (yield* track.startAt(source, media)) - track.preroll);
}

function* windowOf(
  source: MeteredSource,
  candidate: Candidate,
  from: number,
  end: number,
): Reading<TrackWindow | undefined> {
  const { track, kind, presentation } = candidate;
  const first = track.allSync ? from : yield* firstSync(source, candidate, from, end);
  if (first === undefined || first >= end) return undefined;
  const { time, ...head } = yield* runOf(source, track, first, Math.min(HEAD, end - first));
  let [earliest, decoded] = [Number.POSITIVE_INFINITY, time];
  for (let i = 0; i < head.count; i++) {
    earliest = Math.min(earliest, decoded + head.compositions[i]!);
    decoded += head.durations[i]!;
  }
  // Of pictures all is shown that is decoded.
  const begin = kind === 'video' ? earliest : Math.max(earliest, presentation.media);
  return {
    candidate,
    first,
    end,
    begin: presentation.start + (begin - presentation.media) / track.timescale,
    firstPresented: time + head.compositions[0]!,
    composition: head.compositions[0]!,
    usual: { duration: mostOf(head.durations), size: mostOf(head.sizes) },
  };
}

function* firstSync(
  source: MeteredSource,
  { track }: Candidate,
  from: number,
  end: number,
): Reading<number | undefined> {
  // Most often it is the first one that is looked at.
  for (let at = from, count = 1; at < end; at += count, count = Math.min(SEARCH, end - at)) {
    yield* source.breathe();
    const { flags } = yield* runOf(source, track, at, count);
    const found = flags.indexOf(SYNC);
    if (found >= 0) return at + found;
  }
  return undefined;
}

function* runOf(
  source: MeteredSource,
  track: SourceTrack,
  first: number,
  count: number,
): Reading<SampleRun & { readonly time: number }> {
  const run = new RunBuffer(count, false);
  const time = yield* track.read(source, first, count, run, false);
  return { ...run, time };
}

/** The value that is there most often. */
function mostOf(values: Uint32Array): number {
  const counts = new Map<number, number>();
  let most = values[0]!;
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.get(value)! > counts.get(most)!) most = value;
  }
  return most;
}

/** Second of the source's presentation at which the first track of pictures or sound begins; of text, without those. */
export function zeroOf(windows: readonly TrackWindow[]): number {
  const seen = windows.filter(({ candidate }) => candidate.kind !== 'text');
  return (seen.length > 0 ? seen : windows).reduce(
    (least, { begin }) => Math.min(least, begin),
    Number.POSITIVE_INFINITY,
  );
}
