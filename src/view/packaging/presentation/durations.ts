import type { Presentation, PresentedMedia } from './presentation.js';

/** Durations are told in microseconds; so many are a second. */
export const DURATION_UNIT = 1e6;

/** Segments of a track in time. */
export interface Times {
  /** When each begins, in ticks, and one more: when the last ends. */
  readonly begins: Float64Array;
  readonly timescale: number;
}

/**
 * Durations of segments in microseconds: those of the moments at which they begin, rounded, so that their sum is off
 * from the track's duration by no more than one of them is.
 */
export function durationsOf({ begins, timescale }: Times): Float64Array {
  const durations = new Float64Array(Math.max(0, begins.length - 1));
  let begin = Math.round((begins[0]! / timescale) * DURATION_UNIT);
  for (let row = 0; row < durations.length; row++) {
    const end = Math.round((begins[row + 1]! / timescale) * DURATION_UNIT);
    durations[row] = end - begin;
    begin = end;
  }
  return durations;
}

/** Seconds that no duration of these tracks exceeds when it is rounded (RFC 8216 section 4.3.3.1). */
export function targetDuration(tracks: readonly Times[]): number {
  let target = 1;
  for (const track of tracks) {
    for (const duration of durationsOf(track)) target = Math.max(target, Math.round(duration / DURATION_UNIT));
  }
  return target;
}

/**
 * Segments as players of HLS time them: by decoding. They know nothing of edit lists, and take a segment's `tfdt` for
 * the sum of the durations before it; those that find it to be another (Shaka Player) move the segment by the
 * difference, away from the other tracks.
 */
export function decodingTimes({ decodes, timescale }: Pick<PresentedMedia, 'decodes' | 'timescale'>): Times {
  return { begins: decodes, timescale };
}

/** Tracks by whose segments the target duration of a film is found. */
export function timedTracks({ videos, audios, texts }: Pick<Presentation, 'videos' | 'audios' | 'texts'>): Times[] {
  return [...[...videos, ...audios].map(decodingTimes), ...texts];
}

/** Seconds by which tracks may begin apart and still together. */
const TOGETHER = 0.001;

/**
 * Whether players of HLS have to be told when tracks begin, since these do not begin together; in a set, of whose files
 * each tells of its own tracks only, they always are.
 * @param tracks as they are decoded
 */
export function needDates(tracks: readonly Times[], isSet: boolean): boolean {
  const firsts = tracks.map(({ begins, timescale }) => begins[0]! / timescale);
  return isSet || Math.max(...firsts) - Math.min(...firsts) >= TOGETHER;
}
