import type { ByteSource } from '../../base/byte-source.js';
import type { FragmentIndex } from '../fmp4/index.js';
import type { Reading } from '../io/reading.js';
import { distancesOf, kindOf, type MediaReport } from './media-report.js';
import { readSampleDescriptions } from './sample-description.js';

/** What there is to tell of a fragmented MP4; `yield*` it. */
export function* reportFragments(index: FragmentIndex, source: ByteSource): Reading<MediaReport> {
  const { reference, times, base, duration, movie, positions } = index;
  const descriptions = yield* readSampleDescriptions(source, movie.from);
  const found = index.seen
    ? 'found by looking at all of them: there is no sidx or mfra that helps'
    : 'as sidx or mfra tells';
  return {
    format: 'fragmented MP4',
    layout: `moov of ${movie.to - movie.from} bytes, ${positions.length} places to begin in the fragments, ${found}`,
    duration: duration / reference.timescale,
    tracks: index.tracks.map(track => ({
      id: track.id,
      kind: kindOf(track.handler),
      codec: descriptions.get(track.id)?.codec ?? 'unknown',
      details: descriptions.get(track.id)?.details ?? '',
      duration: undefined,
      samples: undefined,
      keyFrames: track === reference ? distancesOf(times, base + duration, track.timescale) : undefined,
      tables: [],
    })),
  };
}
