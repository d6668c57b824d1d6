import type { Segment } from '../mp4/table/edit-list.js';
import type { Presented, SourceTrack } from './source-track.js';

/**
 * What an edit list presents, when that is one stretch of the media: edits that continue each other are one.
 * @param timescale ticks per second of the track
 * @param movieScale units per second in which edits last
 */
export function presentedOf(
  segments: readonly Segment[],
  timescale: number,
  movieScale: number,
): SourceTrack['presentation'] {
  const [first] = segments;
  if (first === undefined) return { reason: 'its edit list presents nothing of it' };
  // Writers round where edits begin and end.
  const gap = 1.5 / movieScale;
  const drift = timescale / movieScale + 1.5;
  let whole: Presented = first;
  for (const segment of segments) {
    const { start, end, media, dwell } = segment;
    if (dwell) return { reason: 'its edit list makes a picture stand still' };
    const expected = whole.media + (start - whole.start) * timescale;
    const continues = segment === first || (start - whole.end <= gap && Math.abs(media - expected) <= drift);
    if (!continues) return { reason: 'its edit list presents parts of it that do not follow each other' };
    whole = { ...whole, end };
  }
  return whole;
}
