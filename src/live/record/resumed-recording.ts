import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Log } from '../../base/log.js';
import { dataSizeOf, TAG_HEADER, TAG_TRAILER, timestampOf } from '../../media/flv/tag.js';
import { RingReader } from '../ring/ring-reader.js';
import { ShiftIndex, type ShiftPoint, shiftIndexOf, UNFINISHED } from '../shift/shift-index.js';
import { FlvRecording } from './flv-recording.js';

/** Most bytes behind a place to begin at that are looked through. */
const LOOK_MAX = 64 * 1024 * 1024;

/**
 * Goes on with the recording of a stream whose process has died or left: first with what the ring has and the file has
 * not, so that nothing is missing and viewers who have gone back notice nothing.
 * @param file of the ring
 * @returns undefined where there is none, or the ring does not go back to where it was broken off
 */
export function resumeRecording(file: string, log: Log): FlvRecording | undefined {
  const index = ShiftIndex.open(shiftIndexOf(file));
  if (index === undefined) return undefined;
  let ring: RingReader | undefined;
  try {
    ring = new RingReader(file);
    return ring.refresh() ? goOn(index, ring, file, log) : undefined;
  } catch (error) {
    log.warn({ file: index.recording, error }, 'a recording can not be gone on with; it is finished');
    return undefined;
  } finally {
    index.close();
    ring?.close();
  }
}

function goOn(index: ShiftIndex, ring: RingReader, file: string, log: Log): FlvRecording | undefined {
  const tail = readTail(index);
  if (tail === undefined) return undefined;
  const { point, points, bytes } = tail;
  const walk = new RingWalk(ring, point.sequence);
  let [at, last] = [0, 0];
  while (at + TAG_HEADER <= bytes.length) {
    const end = at + TAG_HEADER + dataSizeOf(bytes, at);
    if (end + TAG_TRAILER > bytes.length) break;
    // Whatever is not the ring's next tag, such as a header, is not gone on behind.
    if (!walk.next() || !walk.body.equals(bytes.subarray(at + TAG_HEADER, end))) return undefined;
    last = Math.max(last, timestampOf(bytes, at));
    at = end + TAG_TRAILER;
  }
  const headers = ring.headers(walk.version);
  if (headers === undefined) return undefined;
  const recording = new FlvRecording(index.recording, log, shiftIndexOf(file), {
    ...{ point, points, last, headers },
    bytes: point.offset + at,
    start: point.time - timestampOf(bytes, 0),
  });
  for (let { version, epoch } = walk; walk.next(); ) {
    if (walk.epoch !== epoch) recording.newEpoch();
    if (walk.version !== version) recording.setHeaders(ring.headers(walk.version)!);
    ({ version, epoch } = walk);
    recording.append(walk.tag, walk.sequence);
  }
  log.info({ file: index.recording }, 'a recording goes on');
  return recording;
}

/** The last place to begin at that the file has come to, and what there is of it from there on. */
function readTail(index: ShiftIndex): { point: ShiftPoint; points: number; bytes: Buffer } | undefined {
  const file = openSync(index.recording + UNFINISHED, 'r');
  try {
    const { size } = fstatSync(file);
    for (let points = index.count; points > 0; points--) {
      const point = index.point(points - 1)!;
      if (point.offset + TAG_HEADER > size) continue;
      if (size - point.offset > LOOK_MAX) return undefined;
      const bytes = Buffer.alloc(size - point.offset);
      readSync(file, bytes, 0, bytes.length, point.offset);
      if (TAG_HEADER + dataSizeOf(bytes, 0) + TAG_TRAILER <= bytes.length) return { point, points, bytes };
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}

/** Goes through the frames of a ring. */
class RingWalk {
  readonly #ring: RingReader;
  sequence: number;
  version = 0;
  epoch = 0;
  body = Buffer.alloc(0);

  /** @param from number of the first one; -1 for none */
  constructor(ring: RingReader, from: number) {
    this.#ring = ring;
    this.sequence = from < 0 ? ring.head : from - 1;
  }

  /** Goes to the next one; false when the ring has none. */
  next(): boolean {
    const ring = this.#ring;
    do this.sequence++;
    while (this.sequence < ring.head && ring.look(this.sequence) && ring.isHeader);
    if (this.sequence >= ring.head || !ring.look(this.sequence)) return false;
    this.version = ring.tagVersion;
    this.epoch = ring.epoch;
    this.body = Buffer.from(ring.tag.subarray(TAG_HEADER, ring.tag.length - TAG_TRAILER));
    return ring.holds(this.sequence);
  }

  get tag() {
    const { type, timestamp, isKeyFrame: keyFrame } = this.#ring;
    return { type: type as 8 | 9 | 18, timestamp, keyFrame, body: [this.body] };
  }
}
