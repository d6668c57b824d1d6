/** A frame of one track, as the cutting sees it. Times in milliseconds. */
export interface HlsFrame {
  /** Number of its tag in the ring. */
  readonly sequence: number;
  /** Decoding. */
  readonly timestamp: number;
  readonly bytes: number;
  readonly isKey: boolean;
}

/** A part of a segment (RFC 8216bis section 4.4.4.9): frames that follow one another. Immutable. */
export interface HlsPart {
  /** Place in its segment, from 0. */
  readonly index: number;
  /** Numbers in the ring of its first frame's tag, and behind that of its last. */
  readonly first: number;
  readonly end: number;
  /** When its first frame is decoded, and how long its frames last, in milliseconds. */
  readonly start: number;
  readonly duration: number;
  readonly frames: number;
  /** Of its frames. */
  readonly bytes: number;
  /** A decoder can begin with it. */
  readonly isIndependent: boolean;
}

/** What a segment is in all tracks. */
export interface SegmentStart {
  readonly number: number;
  /** Segments of the same number here follow one another without a break, with the same codecs. */
  readonly discontinuity: number;
  /** Number of its first tag in the ring. */
  readonly sequence: number;
  /** Timestamp of that tag, and when it came in milliseconds since 1970. */
  readonly timestamp: number;
  readonly arrivedAt: number;
}

/** A segment of a track. */
export interface HlsSegment extends SegmentStart {
  readonly parts: readonly HlsPart[];
  /** No further part comes. */
  readonly isComplete: boolean;
  /** Milliseconds from its first frame to the next segment's; what it has so far while it is not complete. */
  readonly duration: number;
}

/** Milliseconds that a frame lasts whose neighbours do not tell. */
const FRAME = 40;

class OpenSegment implements HlsSegment {
  readonly number: number;
  readonly discontinuity: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly arrivedAt: number;
  readonly parts: HlsPart[] = [];
  isComplete = false;
  duration = 0;

  constructor(start: SegmentStart) {
    this.number = start.number;
    this.discontinuity = start.discontinuity;
    this.sequence = start.sequence;
    this.timestamp = start.timestamp;
    this.arrivedAt = start.arrivedAt;
  }
}

/**
 * Cuts a track into parts. What comes out depends on nothing but the frames and on where segments begin, so that all
 * processes cut alike, whenever they do; what has been cut stays as it is.
 */
export class HlsTrack {
  readonly #target: number;
  #segments: OpenSegment[] = [];
  /** The segment that frames are cut in; it may be the one before the newest, until the track has come as far. */
  #open: OpenSegment | undefined;
  /** Frames of the part at hand. */
  #frames: HlsFrame[] = [];
  /** How long the last frame lasted whose end is known; of the segment at hand. */
  #lasted: number | undefined;

  /** @param target milliseconds that parts last, as nearly as frames allow */
  constructor(target: number) {
    this.#target = target;
  }

  /** Segments without a gap in their numbers, oldest first; the last one may have no part yet. */
  get segments(): readonly HlsSegment[] {
    return this.#segments;
  }

  /** A segment begins, in all tracks. */
  begin(start: SegmentStart): void {
    // Of a stream that is pulled segments may be missing: a playlist has no gaps.
    if ((this.#segments.at(-1)?.number ?? start.number - 1) !== start.number - 1) this.#forget();
    const newest = this.#segments.at(-1);
    const goesOn = newest?.discontinuity === start.discontinuity;
    // When the last frame ends is told by the next one, unless the track has come to nothing for a whole segment.
    const waits = goesOn && this.#open === newest && this.#frames.length > 0;
    if (!waits) {
      this.finish();
      if (newest?.parts.length === 0 && goesOn) newest.duration = Math.max(0, start.timestamp - newest.timestamp);
    }
    const segment = new OpenSegment(start);
    this.#segments.push(segment);
    if (!waits) this.#open = segment;
  }

  /** Takes the next frame, which is of the newest segment. */
  add(frame: HlsFrame): void {
    const newest = this.#segments.at(-1);
    if (newest === undefined || newest.isComplete) return;
    if (this.#open !== newest) {
      this.#close(frame.timestamp);
      this.#open = newest;
    } else this.#cutBefore(frame);
    this.#frames.push(frame);
  }

  /** No frame that follows goes on from those before: all is closed. */
  finish(): void {
    const last = this.#frames.at(-1);
    this.#close(last === undefined ? 0 : last.timestamp + (this.#lasted ?? FRAME));
    for (let at = this.#segments.length - 1; at >= 0 && !this.#segments[at]!.isComplete; at--) {
      this.#segments[at]!.isComplete = true;
    }
  }

  /** Forgets segments that begin before a tag of the ring. */
  trim(tail: number): void {
    let gone = 0;
    while (gone < this.#segments.length && this.#segments[gone]!.sequence < tail) gone++;
    if (gone === 0) return;
    this.#segments = this.#segments.slice(gone);
    if (this.#open === undefined || this.#open.sequence >= tail) return;
    this.#frames = [];
    this.#lasted = undefined;
    this.#open = this.#segments.at(-1);
  }

  #forget(): void {
    this.#segments = [];
    this.#open = undefined;
    this.#frames = [];
    this.#lasted = undefined;
  }

  /** Closes the part at hand before a frame of the same segment, when that is nearest to the target. */
  #cutBefore({ timestamp }: HlsFrame): void {
    const last = this.#frames.at(-1);
    if (last === undefined) return;
    this.#split(timestamp);
    const lasts = Math.max(0, timestamp - last.timestamp);
    this.#lasted = lasts;
    if (timestamp - this.#frames[0]!.timestamp + lasts / 2 >= this.#target) this.#part(timestamp);
  }

  /** Ends the segment at hand. @param time when its last frame ends */
  #close(time: number): void {
    if (this.#open === undefined) return;
    if (this.#frames.length > 0) {
      this.#split(time);
      this.#part(time);
    }
    this.#open.isComplete = true;
    this.#open = undefined;
    this.#lasted = undefined;
  }

  /** Where the last frame lasts longer than those before let expect, the part is nearer to the target without it. */
  #split(end: number): void {
    if (this.#frames.length < 2) return;
    const start = this.#frames[0]!.timestamp;
    const last = this.#frames.at(-1)!;
    const [short, long] = [last.timestamp - start, end - start];
    if (long <= this.#target || this.#target - short >= long - this.#target) return;
    this.#frames.pop();
    this.#part(last.timestamp);
    this.#frames.push(last);
  }

  /** The frames at hand become a part. @param end when the last of them ends */
  #part(end: number): void {
    const segment = this.#open!;
    const frames = this.#frames;
    const first = frames[0]!;
    const duration = Math.max(0, end - first.timestamp);
    segment.parts.push({
      index: segment.parts.length,
      first: first.sequence,
      end: frames.at(-1)!.sequence + 1,
      start: first.timestamp,
      duration,
      frames: frames.length,
      bytes: frames.reduce((sum, { bytes }) => sum + bytes, 0),
      isIndependent: first.isKey,
    });
    segment.duration += duration;
    this.#frames = [];
  }
}
