import { broken } from '../box/broken.js';
import { runAt, runOf } from './run-table.js';
import { syncSamplesAfter, syncSamplesBefore } from './stss.js';
import type { TableBytes } from './table-bytes.js';
import type { CoreTables, TrackIndex } from './track-index.js';

/** Sync samples that are looked at before composition times are taken to be in disorder. */
const SYNC_TRIES = 16;

/** What of a track the functions here lean on. */
export type TimedTrack = Pick<TrackIndex, 'samples' | 'ticks' | 'leastOffset' | 'greatestOffset'> & {
  readonly core: CoreTables;
};

/** Decode time of `sample`, in ticks; that of the sample after the last is the end of the media. */
export function decodeTime(source: TableBytes, track: TimedTrack, sample: number): number {
  if (sample === 0) return 0;
  if (sample >= track.samples) return track.ticks;
  const run = runOf(source, track.core.stts, sample);
  if (run === undefined) throw broken('box "stts" does not hold all samples');
  return run.ticks + (sample - run.first) * run.value;
}

/** Composition offset of `sample`, in ticks. */
export function compositionOffset(source: TableBytes, track: TimedTrack, sample: number): number {
  const { ctts } = track.core;
  if (ctts === undefined) return 0;
  const run = runOf(source, ctts, sample);
  // Samples past the last run have no offset.
  return run === undefined ? 0 : run.value | 0;
}

/** The last sample that is decoded at or before `ticks`. */
export function sampleAt(source: TableBytes, track: TimedTrack, ticks: number): number {
  if (ticks <= 0) return 0;
  if (ticks >= track.ticks) return track.samples - 1;
  const run = runAt(source, track.core.stts, ticks);
  if (run === undefined) return track.samples - 1;
  return Math.min(track.samples - 1, run.first + Math.floor((ticks - run.ticks) / run.value));
}

/** Where decoding can begin. */
export interface DecodeStart {
  readonly sample: number;
  /** Composition time of the sample, in ticks. */
  readonly composition: number;
}

/**
 * The last sync sample that is presented at or before composition time `media`; the first sample when there is none.
 */
export function decodeStart(source: TableBytes, track: TimedTrack, media: number): DecodeStart {
  const { stss, ctts } = track.core;
  const bound = sampleAt(source, track, media - track.leastOffset);
  const tries = ctts === undefined ? 1 : SYNC_TRIES;
  const candidates = stss === undefined ? samplesBefore(bound, tries) : syncSamplesBefore(source, stss, bound, tries);
  for (const sample of candidates) {
    const start = startAt(source, track, sample);
    if (start.composition <= media) return start;
  }
  const far = sampleAt(source, track, media - track.greatestOffset);
  const before = stss === undefined ? far : syncSamplesBefore(source, stss, far, 1)[0];
  return startAt(source, track, before ?? 0);
}

/**
 * Composition time up to which `decodeStart` finds one start: the same for all times from that of `start` on and before
 * this one. Where sync samples are in such disorder that it is not known, that of `start` itself.
 */
export function decodeStartUntil(source: TableBytes, track: TimedTrack, start: DecodeStart): number {
  const { stss } = track.core;
  // Of samples that are all decoded at once, at the very beginning, `sampleAt` takes the first.
  const isFirstOfMany = start.sample > 0 && decodeTime(source, track, start.sample) === 0;
  if (stss === undefined || isFirstOfMany) return start.composition;
  // One less than `decodeStart` looks at, so that it comes to the start itself.
  const after = syncSamplesAfter(source, stss, start.sample, SYNC_TRIES - 1);
  let until = Number.POSITIVE_INFINITY;
  for (const sample of after) {
    const time = decodeTime(source, track, sample);
    // Neither this one nor one of those behind it is presented earlier.
    if (time + track.leastOffset >= until) return until;
    until = Math.min(until, time + compositionOffset(source, track, sample));
  }
  return after.length < SYNC_TRIES - 1 ? until : start.composition;
}

/** The first sample, in order of decoding, that is of no use for what is presented before composition time `media`. */
export function decodeEnd(source: TableBytes, track: TimedTrack, media: number): number {
  const last = media - track.leastOffset - 1;
  return last < 0 ? 0 : sampleAt(source, track, last) + 1;
}

function startAt(source: TableBytes, track: TimedTrack, sample: number): DecodeStart {
  const time = decodeTime(source, track, sample);
  return { sample, composition: time + compositionOffset(source, track, sample) };
}

function samplesBefore(sample: number, most: number): number[] {
  return Array.from({ length: Math.min(sample + 1, most) }, (_, i) => sample - i);
}
