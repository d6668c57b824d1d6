/** Milliseconds that a track may go back, or ahead of the clock, before its clock counts as another one. */
const JUMP_BACK = 1000;
const JUMP_AHEAD = 10_000;
/** Milliseconds that a track may be from the other one when both have jumped. */
const TOGETHER = 5000;
/** Milliseconds at which a new epoch begins, so that a late tag of the other track is not before it. */
const EPOCH_START = 1000;
/** Some encoders write only 24 bits of their clock, which come around after 4 h 39 min. */
const SHORT_CLOCK = 2 ** 24;
/** How near to its end such a clock must have been. */
const SHORT_CLOCK_END = 60_000;
/** Milliseconds from one epoch's beginning to the next: timestamps of FLV are signed for some players. */
export const EPOCH = 2 ** 31 - 3_600_000;

interface Track {
  /** The publisher's timestamp of its last tag, as it came. */
  raw: number;
  /** What is added to the publisher's clock, its wraps included. */
  offset: number;
  /** Output timestamp of its last tag. */
  last: number;
  /** `performance.now()` at that. */
  at: number;
}

/**
 * Turns publishers' timestamps into those of a stream: from 0 on, over wraps of their clocks, jumps, and publishers
 * that go and come back. Tracks share a clock, so that what is in step stays so, but each is followed by its own: a
 * track may lie behind the other one for good.
 */
export class Timeline {
  readonly #now: () => number;
  readonly #epoch: number;
  readonly #tracks = new Map<number, Track>();
  /** The publisher's clock as it was seen last, by any track: its timestamp, and what is added to it. */
  #clock = { raw: 0, offset: 0 };
  /** Latest output timestamp, and when that was; undefined before any. */
  #latest: { time: number; at: number } | undefined;

  /**
   * @param now milliseconds of a clock that only goes on
   * @param epoch milliseconds
   */
  constructor(now: () => number, epoch = EPOCH) {
    this.#now = now;
    this.#epoch = epoch;
  }

  /** Latest output timestamp. */
  get time(): number {
    return this.#latest?.time ?? 0;
  }

  /** Goes on where another process has stopped. @param ago milliseconds since then */
  resume(time: number, ago: number): void {
    this.#latest = { time, at: this.#now() - ago };
  }

  /**
   * A publisher comes: its clock is another one. Goes on after the last tag, with the time that has passed since then.
   * @param raw least timestamp of its first tags
   */
  begin(raw: number): void {
    this.#tracks.clear();
    this.#clock = { raw, offset: this.#continued() - raw };
  }

  /** True when an epoch has gone by: `renew` should be called when viewers can begin. */
  get isOld(): boolean {
    return this.time >= this.#epoch;
  }

  /** Begins timestamps anew. */
  renew(): void {
    const shift = EPOCH_START - this.time;
    this.#clock.offset += shift;
    for (const track of this.#tracks.values()) {
      track.offset += shift;
      track.last += shift;
    }
    this.#latest = { time: EPOCH_START, at: this.#latest?.at ?? this.#now() };
  }

  /**
   * The output timestamp of a tag.
   * @param kind of track
   * @param raw as the publisher says, 0 to 2^32-1
   */
  place(kind: number, raw: number): number {
    const now = this.#now();
    let track = this.#tracks.get(kind);
    if (track === undefined) {
      const step = stepOf(this.#clock.raw, raw);
      const offset = this.#clock.raw + step + this.#clock.offset - raw;
      track = { raw, offset, last: Number.NEGATIVE_INFINITY, at: now };
      this.#tracks.set(kind, track);
      if (Math.abs(step) > JUMP_AHEAD) this.#join(track, raw);
    } else {
      this.#follow(track, raw, now);
    }
    const time = Math.max(track.raw + track.offset, track.last, 0);
    track.last = time;
    track.at = now;
    this.#clock = { raw: track.raw, offset: track.offset };
    if (this.#latest === undefined || time >= this.#latest.time) this.#latest = { time, at: now };
    return time;
  }

  #follow(track: Track, raw: number, now: number): void {
    const step = stepOf(track.raw, raw);
    // A wrap is no jump: the clock goes on, so what is added to it grows by as much.
    track.offset += track.raw + step - raw;
    track.raw = raw;
    if (step >= -JUMP_BACK && step <= now - track.at + JUMP_AHEAD) return;
    this.#join(track, raw);
  }

  /** A track's clock has become another one: that of the other track, when it has jumped already. */
  #join(track: Track, raw: number): void {
    const others = [...this.#tracks.values()].filter(each => each !== track).map(each => each.offset);
    const near = others.find(offset => Math.abs(raw + offset - this.time) < TOGETHER);
    track.offset = near ?? this.#continued() - raw;
  }

  /** The output timestamp of what comes now, after all that has come. */
  #continued(): number {
    if (this.#latest === undefined) return 0;
    return this.#latest.time + Math.max(1, Math.round(this.#now() - this.#latest.at));
  }
}

/** Milliseconds from one timestamp to another, over wraps of 32 and of 24 bits, either way. */
function stepOf(before: number, after: number): number {
  const step = (after - before) | 0;
  if (isPastWrap(before, after)) return step + SHORT_CLOCK;
  return isPastWrap(after, before) ? step - SHORT_CLOCK : step;
}

/** Whether a clock of 24 bits may have come around from one timestamp to the other. */
function isPastWrap(before: number, after: number): boolean {
  return after < SHORT_CLOCK_END && before < SHORT_CLOCK && before > SHORT_CLOCK - SHORT_CLOCK_END;
}
