import { EdgeError } from '../../../base/errors.js';
import type { Seek } from '../../seek/seek.js';
import { durationOf, type MovieIndex } from '../index/movie-index.js';
import { clipSegments } from '../table/edit-list.js';
import { decodeStart, decodeTime } from '../table/sample-time.js';
import { mapTogether, type TableBytes } from '../table/table-bytes.js';
import { hasSamples, type SampledTrack } from '../table/track-index.js';
import { picturesAround, startOfPacket } from './decode-range.js';
import { cutTrack, type TrackCut } from './track-cut.js';

/**
 * Seconds by which a key frame may come after `start` and still be the one that is meant: players round times to
 * milliseconds.
 */
const SNAP_TOLERANCE = 0.0005;
/**
 * Seconds past its end during which a video track still decides where a cut begins, so that the very end of a film
 * shows a picture.
 */
const TAIL = 1;

/** A cut of all tracks. */
export interface MovieCut {
  /** Second of the source at which the presentation begins. */
  readonly start: number;
  /** Second of the source at which it ends; undefined when it goes on to the end. */
  readonly end: number | undefined;
  /**
   * Cuts of `MovieIndex.tracks`, in the same order. Undefined for a track that is left out: hint tracks, whose samples
   * hold sample numbers and offsets of the media they are about, and video tracks without a picture, which players take
   * for damaged.
   */
  readonly tracks: readonly (TrackCut | undefined)[];
}

/**
 * The second of the source at which the answer to a seek begins.
 * @param exact begin at `seek.start` itself and hide what must be decoded before it; otherwise begin at the key frame
 * @throws EdgeError `range_not_satisfiable` when `start` is at or past the end
 */
export function beginningOf(source: TableBytes, index: MovieIndex, seek: Seek, exact: boolean): number {
  const duration = durationOf(index);
  if (seek.start >= duration) {
    throw new EdgeError(
      'range_not_satisfiable',
      `start is ${seek.start} s, and the file ends at ${Number(duration.toFixed(6))} s`,
    );
  }
  return beginning(source, index, seek.start, Math.min(seek.end ?? duration, duration), exact);
}

/**
 * Finds what a cut keeps of each track.
 * @param start what `beginningOf` says of the seek
 * @param until the seek's `end`
 * @throws EdgeError `unplayable`
 */
export function cutMovie(source: TableBytes, index: MovieIndex, start: number, until: number | undefined): MovieCut {
  const duration = durationOf(index);
  const end = until !== undefined && until < duration ? until : undefined;
  const tracks = mapTogether(index.tracks, (track): TrackCut | undefined => {
    if (track.handler === 'hint') return undefined;
    const segments = clipSegments(track.segments, start, end ?? Number.POSITIVE_INFINITY, track.timescale);
    if (track.handler === 'vide' && segments.length === 0) return undefined;
    return cutTrack(source, track, segments, end === undefined);
  });
  if (!tracks.some(track => track !== undefined && track.end > track.first)) {
    throw new EdgeError('unplayable', `nothing is presented between ${start} s and ${end ?? duration} s`);
  }
  return { start, end, tracks };
}

/**
 * The second at which the answer begins: where the last sync sample at or before `start` is presented, in the track
 * that decides (video before sound); or, when exact, `start` itself, unless no picture follows it: then the last
 * picture.
 */
function beginning(source: TableBytes, index: MovieIndex, start: number, end: number, exact: boolean): number {
  const track = leadingTrack(index, start);
  if (track === undefined) return start;
  const { segments, timescale } = track;
  const wanted = track.handler === 'vide' ? start + Math.min(SNAP_TOLERANCE, (end - start) / 2) : start;
  const segment = segments.findLast(({ start: from }) => from <= wanted);
  if (segment === undefined || segment.dwell) return start;
  const last = segments[segments.length - 1] === segment;
  if (wanted >= segment.end && !last) return start;
  const shown = Math.ceil((segment.end - segment.start) * timescale);
  const elapsed = Math.min(shown - 1, Math.floor((wanted - segment.start) * timescale + 1e-6));
  const media = segment.media + elapsed;
  let composition: number | undefined;
  if (exact) {
    if (track.handler !== 'vide' || !last || start >= segment.end) return start;
    const { before, next } = picturesAround(source, track, media);
    if (next !== undefined && next < segment.media + shown) return start;
    composition = before;
  } else {
    const { sample, ...decoded } = decodeStart(source, track, media);
    composition =
      track.packetSamples > 1 ? decodeTime(source, track, startOfPacket(source, track, sample)) : decoded.composition;
  }
  if (composition === undefined || composition > media) return start;
  return segment.start + Math.max(0, composition - segment.media) / timescale;
}

/**
 * The track that decides where an answer begins. Still pictures, such as covers, don't: they have one sample for the
 * whole film.
 */
function leadingTrack(index: MovieIndex, start: number): SampledTrack | undefined {
  const tracks = index.tracks.filter(hasSamples).filter(({ samples, segments }) => samples > 1 && segments.length > 0);
  for (const handler of ['vide', 'soun']) {
    for (const margin of [0, TAIL]) {
      const reaching = tracks.filter(track => track.handler === handler && start < track.segments.at(-1)!.end + margin);
      if (reaching.length > 0) return reaching.find(track => track.enabled) ?? reaching[0];
    }
  }
  return undefined;
}
