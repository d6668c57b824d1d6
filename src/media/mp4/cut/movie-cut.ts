import { EdgeError } from '../../../base/errors.js';
import type { Beginning } from '../../seek/format.js';
import type { Seek } from '../../seek/seek.js';
import { durationOf, type MovieIndex } from '../index/movie-index.js';
import { clipSegments } from '../table/edit-list.js';
import { decodeStart, decodeStartUntil, decodeTime } from '../table/sample-time.js';
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
 * Where in the source the answer to a seek begins.
 * @param exact begin at `seek.start` itself and hide what must be decoded before it; otherwise begin at the key frame
 * @throws EdgeError `range_not_satisfiable` when `start` is at or past the end
 */
export function beginningOf(source: TableBytes, index: MovieIndex, seek: Seek, exact: boolean): Beginning {
  const duration = durationOf(index);
  if (seek.start >= duration) {
    throw new EdgeError(
      'range_not_satisfiable',
      `start is ${seek.start} s, and the file ends at ${Number(duration.toFixed(6))} s`,
    );
  }
  const track = leadingTrack(index, seek.start);
  const end = Math.min(seek.end ?? duration, duration);
  const found = track && beginning(source, track, seek.start, end, exact);
  if (found === undefined) return { second: seek.start, until: seek.start };
  const isShared = seek.end === undefined && !exact && leadsAlone(index, track!);
  return isShared ? found : { second: found.second, until: found.second };
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
 * Where the answer begins: where the last sync sample at or before `start` is presented, in the track that decides
 * (video before sound); or, when exact, `start` itself, unless no picture follows it: then the last picture. Undefined
 * for `start` itself.
 */
function beginning(
  source: TableBytes,
  track: SampledTrack,
  start: number,
  end: number,
  exact: boolean,
): Beginning | undefined {
  const { segments, timescale } = track;
  const wanted = track.handler === 'vide' ? start + Math.min(SNAP_TOLERANCE, (end - start) / 2) : start;
  const segment = segments.findLast(({ start: from }) => from <= wanted);
  if (segment === undefined || segment.dwell) return undefined;
  const last = segments[segments.length - 1] === segment;
  if (wanted >= segment.end && !last) return undefined;
  const shown = Math.ceil((segment.end - segment.start) * timescale);
  const elapsed = Math.min(shown - 1, Math.floor((wanted - segment.start) * timescale + 1e-6));
  const media = segment.media + elapsed;
  let composition: number | undefined;
  let until = Number.NEGATIVE_INFINITY;
  if (exact) {
    if (track.handler !== 'vide' || !last || start >= segment.end) return undefined;
    const { before, next } = picturesAround(source, track, media);
    if (next !== undefined && next < segment.media + shown) return undefined;
    composition = before;
  } else if (track.packetSamples > 1) {
    const { sample } = decodeStart(source, track, media);
    composition = decodeTime(source, track, startOfPacket(source, track, sample));
  } else {
    const found = decodeStart(source, track, media);
    composition = found.composition;
    until = decodeStartUntil(source, track, found);
  }
  if (composition === undefined || composition > media) return undefined;
  const second = segment.start + Math.max(0, composition - segment.media) / timescale;
  // Of what is wanted no more than the tolerance lies after a start, and once more as much is no matter of rounding.
  const next = Math.min(segment.end, segment.start + (until - segment.media) / timescale) - 2 * SNAP_TOLERANCE;
  return { second, until: Math.max(second, next) };
}

/**
 * The track that decides where an answer begins. Still pictures, such as covers, don't: they have one sample for the
 * whole film.
 */
function leadingTrack(index: MovieIndex, start: number): SampledTrack | undefined {
  const tracks = leadingTracks(index);
  for (const handler of ['vide', 'soun']) {
    for (const margin of [0, TAIL]) {
      const reaching = tracks.filter(track => track.handler === handler && start < track.segments.at(-1)!.end + margin);
      if (reaching.length > 0) return reaching.find(track => track.enabled) ?? reaching[0];
    }
  }
  return undefined;
}

/** Whether the track decides up to its end, wherever an answer is to begin. */
function leadsAlone(index: MovieIndex, track: SampledTrack): boolean {
  const rivals = leadingTracks(index).filter(({ handler }) => handler === 'vide' || handler === track.handler);
  return rivals.length === 1 && rivals[0] === track;
}

function leadingTracks(index: MovieIndex): SampledTrack[] {
  return index.tracks.filter(hasSamples).filter(({ samples, segments }) => samples > 1 && segments.length > 0);
}
