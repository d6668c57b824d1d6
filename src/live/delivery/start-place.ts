import type { RingReader } from '../ring/ring-reader.js';
import { ShiftIndex, shiftIndexOf } from '../shift/shift-index.js';
import { ShiftReader } from '../shift/shift-reader.js';
import type { ShiftStart } from './viewer.js';

/** Where a viewer begins that wants to go back; the present when neither is there. */
export interface StartPlace {
  /** Number of a tag in the ring. */
  readonly sequence?: number;
  /** A way through the recording, and how many milliseconds it begins before the present. */
  readonly shift?: ShiftReader;
  readonly behind?: number;
}

/**
 * Finds the last place at a time or before it where a decoder can begin, or the oldest that there is: in the ring, and
 * in the recording when the ring has it no more, or not for long.
 * @param file of the ring
 * @param ready told when there is something to take of the recording
 */
export function startPlace(
  ring: RingReader,
  file: string,
  { from, milliseconds }: ShiftStart,
  ready: () => void,
): StartPlace {
  if (!ring.look(ring.head - 1)) return {};
  const present = ring.timestamp;
  const time = from === 'present' ? present - milliseconds : milliseconds;
  if (time > present) return {};
  const sequence = joinAt(ring, time);
  const isThere = sequence >= 0 && ring.look(sequence) && ring.timestamp <= time;
  if (isThere && isSafe(ring, sequence)) return { sequence };
  const index = ShiftIndex.open(shiftIndexOf(file));
  const number = index?.find(time) ?? -1;
  const point = number < 0 ? undefined : index?.point(number);
  const isOlder = point !== undefined && (sequence < 0 || !ring.look(sequence) || point.time <= ring.timestamp);
  if (index !== undefined && isOlder) {
    const shift = new ShiftReader(index, number, ready);
    shift.request();
    return { shift, behind: Math.max(0, present - point.time) };
  }
  index?.close();
  return sequence < 0 ? {} : { sequence };
}

/** Whether a tag is far from the ring's end in time and in number, or stays there since nothing comes. */
export function isSafe(ring: RingReader, sequence: number): boolean {
  if (sequence < ring.tail || !ring.look(sequence)) return false;
  const isFar = ring.age <= ring.keep / 2 && sequence - ring.tail >= (ring.head - ring.tail) / 4;
  return isFar || ring.state !== 'publishing';
}

/**
 * The last tag at which a decoder can begin, at a time or before it; the oldest when all are later, -1 when there is
 * none. Looks at the tags themselves, since those of two tracks need not come in the order of their times.
 */
function joinAt(ring: RingReader, time: number): number {
  let oldest = -1;
  if (!ring.look(ring.head - 1)) return oldest;
  const { epoch } = ring;
  for (let at = ring.head - 1; at >= ring.tail && ring.look(at) && ring.epoch === epoch; at--) {
    if (!ring.isJoin) continue;
    oldest = at;
    if (ring.timestamp <= time) break;
  }
  return oldest;
}
