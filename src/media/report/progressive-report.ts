import type { ByteSource } from '../../base/byte-source.js';
import type { Reading } from '../io/reading.js';
import { durationOf, type MovieIndex } from '../mp4/index/movie-index.js';
import { decodeTime } from '../mp4/table/sample-time.js';
import { syncSamplesBefore } from '../mp4/table/stss.js';
import { lookUp, type TableBytes } from '../mp4/table/table-bytes.js';
import type { TrackIndex } from '../mp4/table/track-index.js';
import { type Distances, distancesOf, kindOf, type MediaReport } from './media-report.js';
import { readSampleDescriptions } from './sample-description.js';

/** Most key frames whose distances are looked at, the last ones of the track. */
const KEY_FRAMES_MAX = 100_000;

/** What there is to tell of a progressive MP4; `yield*` it. */
export function* reportMovie(index: MovieIndex, source: ByteSource): Reading<MediaReport> {
  const descriptions = yield* readSampleDescriptions(source, index.movie.offset);
  const tracks = [];
  for (const track of index.tracks) {
    tracks.push({
      id: track.id,
      kind: kindOf(track.handler),
      codec: descriptions.get(track.id)?.codec ?? 'unknown',
      details: descriptions.get(track.id)?.details ?? '',
      duration: track.ticks / track.timescale,
      samples: track.samples,
      keyFrames: track.handler === 'vide' ? yield* lookUp(source, bytes => keyFrames(bytes, track)) : undefined,
      tables: track.tables.map(({ type, count, length }) => ({ type, entries: count, bytes: length })),
    });
  }
  const { offset, size } = index.movie;
  const place = index.movieFirst ? 'first' : 'last: a player must look for it, and seeks move it to the front';
  return {
    format: 'MP4',
    layout: `moov stands ${place} (${size} bytes at byte ${offset})`,
    duration: durationOf(index),
    tracks,
  };
}

function keyFrames(source: TableBytes, track: TrackIndex): Distances | undefined {
  const { core } = track;
  if (core === undefined) return undefined;
  const timed = { ...track, core };
  if (core.stss === undefined) {
    const average = track.ticks / track.samples / track.timescale;
    return { count: track.samples, shortest: average, average, longest: average };
  }
  const samples = syncSamplesBefore(source, core.stss, track.samples - 1, KEY_FRAMES_MAX).reverse();
  const times: number[] = [];
  for (const sample of samples) times.push(decodeTime(source, timed, sample));
  return distancesOf(times, track.ticks, track.timescale);
}
