import type { RingReader } from '../ring/ring-reader.js';
import { writeNumbers } from './link-fields.js';
import type { Viewer } from './viewer.js';

/** Whole segments of HLS that another edge begins with, so that its playlists have some. */
const SEGMENTS = 3;

/** The first tag of one of the newest segments of HLS that are whole; -1 for none. */
export function segmentStart(ring: RingReader): number {
  if (!ring.look(ring.head - 1)) return -1;
  let segment = ring.segmentNumber;
  const oldest = segment - SEGMENTS;
  let start = -1;
  for (let at = ring.head - 2; segment > oldest; at--) {
    // The stream's first tag begins a segment; what lies before the oldest one that is kept is not known.
    if (at < 0) return 0;
    if (!ring.look(at)) break;
    if (ring.segmentNumber === segment) continue;
    start = at + 1;
    segment = ring.segmentNumber;
  }
  return start;
}

/** Sequence behind the tags of one segment of HLS, from one of them on. */
export function segmentEnd(ring: RingReader, from: number): number {
  if (!ring.look(from)) return from + 1;
  const segment = ring.segmentNumber;
  let [within, behind] = [from, ring.head];
  if (ring.look(behind - 1) && ring.segmentNumber === segment) return behind;
  while (behind - within > 1) {
    const middle = Math.floor((within + behind) / 2);
    if (ring.look(middle) && ring.segmentNumber === segment) within = middle;
    else behind = middle;
  }
  return behind;
}

/** What tells another edge the numbers of the segment that a tag begins; undefined when it knows them. */
export function segmentMark(ring: RingReader, viewer: Viewer): Uint8Array | undefined {
  const { segmentNumber: segment, discontinuity, timestamp } = ring;
  if (segment === viewer.segment) return undefined;
  viewer.segment = segment;
  return writeNumbers({ segment, discontinuity }, timestamp);
}
