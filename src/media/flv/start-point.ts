import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import type { Reading } from '../io/reading.js';
import type { FlvIndex } from './flv-index.js';
import { TagReader } from './tag-reader.js';

/** A point of the index, and its timestamp in the file in milliseconds. */
export interface StartPoint {
  readonly point: number;
  readonly timestamp: number;
}

/** Probes that follow the times of the index; after them the search halves what is left. */
const GUESSES = 4;
/** A point that must be past the limit by less than this part of its distance is looked at. */
const DOUBT = 8;
/** Most probes of one search. */
const PROBES_MAX = 40;

/**
 * The timestamp of a point, looked up in the file when the index only has it from the key-frame table.
 * @throws EdgeError `unplayable` when no key frame stands there
 */
export function* timestampAt(index: FlvIndex, bytes: ByteSource, point: number): Reading<number> {
  if (index.seen) return index.times[point]!;
  const tag = new TagReader(bytes, index.positions[point]!);
  if ((yield* tag.next()) && tag.payload().key) return tag.timestamp;
  const at = `byte ${index.positions[point]}`;
  throw new EdgeError('unplayable', `a key frame was expected at ${at}, where the key-frame table of the file points`);
}

/**
 * The last point whose timestamp is at most `limit`, or the first one; `yield*` it.
 *
 * The times of key-frame tables are rounded to whole seconds by some muxers and drift away in others, while the offsets
 * are right. So the table gives the first guess, what stands in the file there corrects it, and a guess is accepted
 * when the point after it must be past the limit by what is known. A table that is right costs one look at the file.
 */
export function* pointAtTime(index: FlvIndex, bytes: ByteSource, limit: number): Reading<StartPoint> {
  const { times } = index;
  const guess = (time: number) => Math.max(0, lastAtMost(times, time));
  let point = guess(limit);
  let best: StartPoint | undefined;
  let [low, high] = [-1, times.length];
  for (let probe = 0; ; probe++) {
    const timestamp = yield* timestampAt(index, bytes, point);
    const drift = timestamp - times[point]!;
    if (timestamp <= limit) {
      low = point;
      best = { point, timestamp };
    } else {
      high = point;
    }
    const next = times[point + 1];
    const nextIsPast = low === point && (next === undefined || next + drift - (next - times[point]!) / DOUBT > limit);
    if (index.seen || nextIsPast || high - low <= 1 || probe === PROBES_MAX) return best ?? { point, timestamp };
    const wanted = probe < GUESSES ? guess(limit - drift) : (low + high) >> 1;
    point = Math.min(high - 1, Math.max(low + 1, wanted));
  }
}
