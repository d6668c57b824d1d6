import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import type { Pieces } from '../../base/pieces.js';
import type { BlockReader } from '../../cache/read/block-reader.js';
import { frameDataOf } from '../../media/flv/frame-data.js';
import { TAG_HEADER, TAG_TRAILER } from '../../media/flv/tag.js';
import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../../media/fmp4/moof.js';
import { defaultFlags, segmentHead } from '../../media/packaging/media-segment.js';
import { gathered } from '../../virtual-file/gathered.js';
import { literal, type Span } from '../../virtual-file/span.js';
import type { RingReader } from '../ring/ring-reader.js';
import { TRACK_TYPES } from './hls-codecs.js';
import type { HlsPart } from './hls-track.js';
import type { HlsTrackName } from './hls-url.js';

/** Bytes that are kept of each frame. */
const FRAME = 20;

/** Frames lie in the ring, whose bytes are those of the object: a position is an offset. */
interface Frames {
  /** First byte of each in the ring. */
  readonly positions: Float64Array;
  readonly sizes: Uint32Array;
  /** Numbers of their tags. */
  readonly sequences: Float64Array;
}

/** Parts of a track as a file: boxes that are made, and frames where they lie in the ring. */
export class RingFile {
  readonly spans: readonly Span[];
  readonly #ring: RingReader;
  readonly #frames: Frames;

  /** @throws EdgeError `not_found` when the ring has lost some of it */
  constructor(ring: RingReader, track: HlsTrackName, parts: readonly HlsPart[]) {
    const count = parts.reduce((sum, { frames }) => sum + frames, 0);
    const frames = {
      positions: new Float64Array(count),
      sizes: new Uint32Array(count),
      sequences: new Float64Array(count),
    };
    const spans: Span[] = [];
    let at = 0;
    for (const part of parts) {
      spans.push(literal(readPart(ring, track, part, frames, at)));
      const to = at + part.frames;
      spans.push(...gathered(frames.positions.subarray(at, to), frames.sizes.subarray(at, to)));
      at = to;
    }
    this.#ring = ring;
    this.#frames = frames;
    this.spans = spans;
  }

  /** Bytes that it takes in memory beside its spans. */
  get weight(): number {
    return this.#frames.positions.length * FRAME;
  }

  reader(): BlockReader {
    return new RingBlockReader(this.#ring, this.#frames);
  }
}

/** Finds the frames of a part, from place `at` of `frames` on. @returns its `moof` and the header of its `mdat` */
function readPart(ring: RingReader, track: HlsTrackName, part: HlsPart, frames: Frames, at: number): Uint8Array {
  const { positions, sizes, sequences } = frames;
  const count = part.frames;
  const times = new Float64Array(count + 1);
  const compositions = new Int32Array(count);
  const flags = new Uint32Array(count);
  let found = 0;
  for (let sequence = part.first; sequence < part.end; sequence++) {
    if (!ring.look(sequence)) throw gone();
    if (ring.type !== TRACK_TYPES[track] || ring.isHeader) continue;
    const { tag, timestamp, position } = ring;
    const frame = frameDataOf(TRACK_TYPES[track], tag.subarray(TAG_HEADER, tag.length - TAG_TRAILER));
    if (!ring.holds(sequence)) throw gone();
    if (frame === undefined || found === count) continue;
    positions[at + found] = position + TAG_HEADER + frame.from;
    sizes[at + found] = frame.to - frame.from;
    sequences[at + found] = sequence;
    times[found] = timestamp;
    compositions[found] = frame.composition;
    flags[found] = defaultFlags(frame.isKey ? 'all' : 'first');
    found++;
  }
  if (found !== count) throw gone();
  times[count] = part.start + part.duration;
  const durations = Uint32Array.from({ length: count }, (_, i) => Math.max(0, times[i + 1]! - times[i]!));
  const isPlain = flags.every((flag, i) => flag === defaultFlags(track === 'a1' || i === 0 ? 'all' : 'first'));
  const fields =
    SAMPLE_DURATION |
    SAMPLE_SIZE |
    (isPlain ? 0 : SAMPLE_FLAGS) |
    (compositions.some(composition => composition !== 0) ? SAMPLE_OFFSET : 0);
  return segmentHead(
    { defaultDuration: 0, defaultSize: 0 },
    {
      // It grows from part to part, in whatever process.
      // What other edges have, too.
      sequence: (part.start + 1) % 2 ** 32,
      time: part.start,
      fields,
      syncs: track === 'a1' ? 'all' : 'first',
      samples: count,
      bytes: part.bytes,
    },
    { count, sizes: sizes.subarray(at, at + count), durations, compositions, flags },
  );
}

function gone(): EdgeError {
  return new EdgeError('not_found', 'this part of the live stream is not kept any more');
}

/** Most bytes that are copied out of the ring at once. */
const COPY = 64 * 1024;
/** Used within one synchronous section at a time. */
const copied = new Uint8Array(COPY);

/** Reads frames where they lie in the ring; what has been overwritten meanwhile ends the answer. */
class RingBlockReader implements BlockReader {
  readonly outcome = 'memory';
  readonly #ring: RingReader;
  readonly #frames: Frames;

  constructor(ring: RingReader, frames: Frames) {
    this.#ring = ring;
    this.#frames = frames;
  }

  read(offset: number, end: number): Uint8Array {
    const { positions, sizes } = this.#frames;
    const frame = lastAtMost(positions, offset);
    const count = Math.min(end, positions[frame]! + sizes[frame]!, offset + COPY) - offset;
    const bytes = copied.subarray(0, count);
    this.#copy(offset, bytes);
    this.#check(frame);
    return bytes;
  }

  release(): void {}

  gather({ offsets, begins }: Pieces, at: number, _end: number, target: Uint8Array): number {
    let piece = lastAtMost(begins, at);
    const first = lastAtMost(this.#frames.positions, offsets[piece]!);
    let filled = 0;
    for (; filled < target.length && piece < offsets.length; piece++) {
      const skipped = at + filled - begins[piece]!;
      const count = Math.min(begins[piece + 1]! - begins[piece]! - skipped, target.length - filled);
      this.#copy(offsets[piece]! + skipped, target.subarray(filled, filled + count));
      filled += count;
    }
    this.#check(first);
    return filled;
  }

  want(_offset: number, _end: number): void {
    throw new EdgeError('internal', 'a live stream has what it has');
  }

  close(): void {}

  #copy(position: number, target: Uint8Array): void {
    if (this.#ring.isClosed) throw gone();
    target.set(this.#ring.bytesAt(position, target.length));
  }

  /** What has been copied since is right when the oldest frame of it is still there. */
  #check(frame: number): void {
    if (!this.#ring.holds(this.#frames.sequences[frame]!)) throw gone();
  }
}
