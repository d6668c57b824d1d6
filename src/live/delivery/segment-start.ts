import type { RingReader } from '../ring/ring-reader.js';
import type { RingNumbers } from './link-fields.js';

/** Whole segments of HLS that another edge begins with, so that its playlists have some. */
const SEGMENTS = 3;

/** The first tag of one of the newest segments of HLS that are whole; -1 for none. */
export function segmentStart(ring: RingReader): number {
  if (!ring.look(ring.head - 1)) return -1;
  let segment = ring.segmentNumber;
  const oldest = segment - SEGMENTS;
  let start = -1;
  for (let at = ring.head - 2; ring.look(at) && segment > oldest; at--) {
    if (ring.segmentNumber === segment) continue;
    start = at + 1;
    segment = ring.segmentNumber;
  }
  return start;
}

/** Numbers of the segment of HLS that a tag is of; undefined when that is not known. */
export function numbersAt(ring: RingReader, sequence: number): RingNumbers | undefined {
  return ring.look(sequence) ? { segment: ring.segmentNumber, discontinuity: ring.discontinuity } : undefined;
}
