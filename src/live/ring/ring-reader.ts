import { type NativeRingReader, native } from '../../base/native.js';
import type { LiveHeaders, LiveState } from './live-tag.js';
import { opened } from './ring-writer.js';

/** Numbers of `facts`, as in native/live_ring.cc. */
const HEAD = 0;
const TAIL = 1;
const STATE = 2;
const STATE_AGE = 3;
const VERSION = 4;
const OFFSET = 6;
const LENGTH = 7;
const TIMESTAMP = 8;
const FLAGS = 9;
const TAG_VERSION = 10;
const TAG_EPOCH = 11;
const SEGMENT = 12;
const JOIN = 13;
const AGE = 14;
const END = 15;
const DISCONTINUITY = 16;
const POSITION = 17;
const ARRIVED_AT = 18;

/** FLV tag types of sound and pictures. */
const FRAME_TYPES = [8, 9];

/** Bits of a tag's flags above its type, as in native/live_ring_layout.h. */
const TYPE_MASK = 0x1f;
const KEY_FRAME = 0x100;
const JOIN_HERE = 0x200;
const HEADER_TAG = 0x400;

/**
 * Reads the ring of a live stream: no lock, no pin, no copy. Tags are numbered from 0 in the order in which they came.
 * What was read of one counts only when `holds` says so afterwards, since the writer waits for nobody.
 *
 * The calls of each batch leave what they find in this object's fields; they make no objects.
 */
export class RingReader {
  readonly #native: NativeRingReader;
  readonly #facts: Float64Array;
  readonly #data: Uint8Array;

  /** Sequence behind the newest tag, and of the oldest one that is whole; of the last `refresh`. */
  head = 0;
  tail = 0;
  state: LiveState = 'waiting';
  /** Milliseconds for which it has been in this state. */
  stateAge = 0;
  /** Newest version of the headers; 0 when there is none. */
  version = 0;
  /** Newest tag at which a decoder can begin; -1 when there is none. */
  join = -1;

  /**
   * Opens the ring in a file.
   * @throws EdgeError `bad_config` when there is none that can be used
   */
  constructor(file: string) {
    this.#native = opened(() => new native.NativeRingReader(file));
    this.#facts = this.#native.facts;
    this.#data = new Uint8Array(this.#native.data);
  }

  /** Milliseconds of media that are kept. */
  get keep(): number {
    return this.#native.keep;
  }

  /** Least milliseconds of a segment of HLS. */
  get segment(): number {
    return this.#native.segment;
  }

  /** When the ring was made, in milliseconds since 1970. */
  get createdAt(): number {
    return this.#native.createdAt;
  }

  /** Reads how the ring stands; false when the file makes no sense. */
  refresh(): boolean {
    if (!this.#native.refresh()) return false;
    const facts = this.#facts;
    const state = facts[STATE]!;
    this.head = facts[HEAD]!;
    this.tail = facts[TAIL]!;
    this.state = state === 1 ? 'publishing' : state === 2 ? 'waiting' : 'ended';
    this.stateAge = facts[STATE_AGE]!;
    this.version = facts[VERSION]!;
    this.join = facts[JOIN]!;
    return true;
  }

  /** Reads what the index tells of a tag, which the getters below then tell; false when it is gone. */
  look(sequence: number): boolean {
    return this.#native.look(sequence);
  }

  /** FLV tag type. */
  get type(): number {
    return this.#facts[FLAGS]! & TYPE_MASK;
  }

  get isKeyFrame(): boolean {
    return (this.#facts[FLAGS]! & KEY_FRAME) !== 0;
  }

  /** A decoder can begin here. */
  get isJoin(): boolean {
    return (this.#facts[FLAGS]! & JOIN_HERE) !== 0;
  }

  /** The tag repeats a header that has changed. */
  get isHeader(): boolean {
    return (this.#facts[FLAGS]! & HEADER_TAG) !== 0;
  }

  /** Milliseconds. */
  get timestamp(): number {
    return this.#facts[TIMESTAMP]!;
  }

  /** Version of the headers that it is decoded with. */
  get tagVersion(): number {
    return this.#facts[TAG_VERSION]!;
  }

  /** Low 8 bits of the number of the timeline. */
  get epoch(): number {
    return this.#facts[TAG_EPOCH]!;
  }

  /** Number of its segment of HLS, which only grows, by one at a time. */
  get segmentNumber(): number {
    return this.#facts[SEGMENT]!;
  }

  /**
   * Number, from 0, of the run of tags of one publisher, with the same codecs and on one timeline; grows by one at a
   * time.
   */
  get discontinuity(): number {
    return this.#facts[DISCONTINUITY]!;
  }

  /** Its first byte, counted from the ring's first. */
  get position(): number {
    return this.#facts[POSITION]!;
  }

  /** When it came, in milliseconds since 1970; the same for all processes. */
  get arrivedAt(): number {
    return this.#facts[ARRIVED_AT]!;
  }

  /** Milliseconds since it came. */
  get age(): number {
    return this.#facts[AGE]!;
  }

  /** The tag with its head and tail, where it lies. */
  get tag(): Uint8Array {
    return this.#piece();
  }

  /**
   * Finds tags from `first` on, before `end`, that have at most `most` bytes, but at least the first. Then `runEnd` is
   * the sequence behind them.
   * @returns the tags, where they lie; undefined when the first is gone
   */
  run(first: number, end: number, most: number): Uint8Array | undefined {
    return this.#native.run(first, end, most) ? this.#piece() : undefined;
  }

  get runEnd(): number {
    return this.#facts[END]!;
  }

  /** To be asked after what was read of tag `first` and those behind it was copied: whether that was right. */
  holds(first: number): boolean {
    return this.#native.holds(first);
  }

  /** Bytes from a position on, where they lie; to be asked about by `holds` as what `tag` gives. */
  bytesAt(position: number, length: number): Uint8Array {
    const offset = position % this.#native.size;
    return this.#data.subarray(offset, offset + length);
  }

  /** A copy of a version of the headers; undefined when it is gone. */
  headers(version: number): LiveHeaders | undefined {
    return this.#native.headers(version);
  }

  /** Whether the process lives that writes. */
  hasWriter(): boolean {
    return this.#native.hasWriter();
  }

  get isClosed(): boolean {
    return this.#data.length === 0;
  }

  /** Views of the ring are empty from now on. */
  close(): void {
    this.#native.close();
  }

  #piece(): Uint8Array {
    const offset = this.#facts[OFFSET]!;
    return this.#data.subarray(offset, offset + this.#facts[LENGTH]!);
  }
}

/**
 * Timestamps of the last frames in a file's ring, by their types.
 * @throws EdgeError `bad_config` when there is no ring
 */
export function lastTimes(file: string): Map<number, number> {
  const ring = new RingReader(file);
  const last = new Map<number, number>();
  try {
    if (!ring.refresh()) return last;
    for (let at = ring.head - 1; at >= ring.tail && last.size < FRAME_TYPES.length && ring.look(at); at--) {
      const isFrame = FRAME_TYPES.includes(ring.type) && !ring.isHeader;
      if (isFrame && !last.has(ring.type)) last.set(ring.type, ring.timestamp);
    }
    return last;
  } finally {
    ring.close();
  }
}
