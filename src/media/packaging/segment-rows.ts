import { native } from '../../base/native.js';
import { SAMPLE_FLAGS } from '../fmp4/moof.js';
import type { MeteredSource } from '../io/metered-source.js';
import { broken } from '../mp4/box/broken.js';
import type { KeyFrames, SegmentRows } from './media-package.js';
import type { RunBuffer } from './source-track.js';

/** Most samples of a segment, and most bytes of its media, whose box has a size of 32 bits. */
export const SEGMENT_SAMPLES_MAX = 100_000;
export const SEGMENT_BYTES_MAX = 0xfff0_0000;
/** Most segments of a track: a week of 6 s. */
const SEGMENTS_MAX = 100_000;
/** Bytes of memory that a row, and a key frame, takes while it is made and in the package. */
const [ROW_BYTES, KEY_FRAME_BYTES] = [80, 48];
/** Rows and key frames for which there is room at first. */
const [ROWS_FIRST, KEYS_FIRST] = [512, 1024];
/** Greatest time in ticks. */
const TIME_MAX = 2 ** 50;

/** Where segments are to begin, in seconds of the package's timeline: rising places, and then multiples of a length. */
export interface Boundaries {
  readonly places: Float64Array;
  /** Second from which multiples of `length` hold. */
  readonly from: number;
  /** Seconds, more than 0. */
  readonly length: number;
}

/** How the samples of a track become rows. */
export interface RowRules {
  /** Ticks per second. */
  readonly timescale: number;
  /** Presentation on the package's timeline less composition time in the source, ticks. */
  readonly delta: number;
  /** What is taken off composition offsets. */
  readonly compositionShift: number;
  readonly editMedia: number;
  /** Of samples without the field. */
  readonly duration: number;
  readonly size: number;
  readonly allSync: boolean;
  readonly boundaries: Boundaries;
  /** Seconds; a last segment that is shorter is part of the one before. */
  readonly shortest: number;
}

/** What the rows of a track come to. */
export interface CutTrack {
  readonly segments: SegmentRows;
  readonly openGops: boolean;
  /** Undefined of a track that has nothing else, whose players want few of them. */
  readonly keyFrames: KeyFrames | undefined;
}

/** Numbers that the addon keeps while a track is cut (`RowState` of native/segment_rows.h), and places among them. */
const STATE = 25;
const [SAMPLES, BYTES, TIME, END, OPEN, OVERFLOWS, ROWS, KEYS] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** Rows of numbers that the addon writes, as columns one after the other. */
class Rows {
  numbers: Float64Array;

  /**
   * @param bytes that a row counts
   * @param most rows there may be
   */
  constructor(
    private readonly source: MeteredSource,
    private readonly columns: number,
    private room: number,
    private readonly bytes: number,
    private readonly most: number,
  ) {
    source.keep(room * bytes);
    this.numbers = new Float64Array(columns * room);
  }

  /** Makes room for more than there is. @throws EdgeError `unplayable` where there may be no more */
  grow(what: string): void {
    const { room, columns, numbers, most } = this;
    if (room >= most) throw broken(`a track has more than ${most} ${what}`);
    this.room = Math.min(most, 4 * room);
    this.source.keep((this.room - room) * this.bytes);
    this.numbers = new Float64Array(columns * this.room);
    for (let column = 0; column < columns; column++) {
      this.numbers.set(numbers.subarray(column * room, (column + 1) * room), column * this.room);
    }
  }

  isFull(count: number, spare = 0): boolean {
    return count + spare >= this.room;
  }

  /** A copy of the first `count` numbers of a column, and of one more at its end. */
  column(column: number, count: number, last?: number): Float64Array {
    const at = column * this.room;
    const numbers = this.numbers.subarray(at, at + count);
    if (last === undefined) return numbers.slice();
    const ended = new Float64Array(count + 1);
    ended.set(numbers);
    ended[count] = last;
    return ended;
  }
}

/** Cuts a track into segments: is given all its samples in turn. The first one is a sync sample. */
export class RowBuilder {
  readonly #state = new Float64Array(STATE);
  readonly #rules: Float64Array;
  readonly #rows: Rows;
  readonly #keys: Rows;

  /** @param first number of the first sample */
  constructor(
    source: MeteredSource,
    private readonly rules: RowRules,
    first: number,
  ) {
    this.#state[SAMPLES] = first;
    const { delta, compositionShift, duration, size, timescale, allSync, boundaries } = rules;
    const { from, length } = boundaries;
    const numbers = [delta, compositionShift, duration, size, timescale, Number(allSync), from, length];
    this.#rules = Float64Array.from(numbers);
    this.#rows = new Rows(source, 5, ROWS_FIRST, ROW_BYTES, SEGMENTS_MAX);
    this.#keys = new Rows(source, 3, allSync ? 0 : KEYS_FIRST, KEY_FRAME_BYTES, 2 ** 32);
  }

  /**
   * Takes in samples.
   * @param time decoding time of the first
   */
  add({ count, sizes, durations, compositions, flags }: RunBuffer, time: number): void {
    const [state, rules, rows, keys] = [this.#state, this.#rules, this.#rows, this.#keys];
    const { places } = this.rules.boundaries;
    state[TIME] = time;
    for (let i = 0; i < count; ) {
      const [{ numbers: into }, { numbers: list }] = [rows, keys];
      i = native.cutRows(sizes, durations, compositions, flags, count, i, rules, places, state, into, list);
      if (state[OVERFLOWS] !== 0) throw broken('the composition offsets of a track are too far apart');
      if (i < count) this.#grow();
    }
  }

  #grow(): void {
    const [rows, keys] = [this.#state[ROWS]!, this.#state[KEYS]!];
    if (this.#rows.isFull(rows)) this.#rows.grow('segments');
    if (!this.rules.allSync && this.#keys.isFull(keys)) this.#keys.grow('key frames');
  }

  /** @throws EdgeError `unplayable` when a segment would be too large, or time has no bounds */
  finish(): CutTrack {
    const { timescale, delta, compositionShift, editMedia, shortest, allSync } = this.rules;
    const [state, rows] = [this.#state, this.#rows];
    while (rows.isFull(state[ROWS]!, 1)) rows.grow('segments');
    native.endRows(this.#rules, state, rows.numbers);
    let count = state[ROWS]!;
    const begins = rows.column(2, count);
    const fields = Uint16Array.from(rows.column(4, count));
    while (count > 1 && state[END]! - begins[count - 1]! < shortest * timescale) {
      count--;
      fields[count - 1]! |= fields[count]! | (allSync ? 0 : SAMPLE_FLAGS);
    }
    const end = Math.max(state[END]!, begins[count - 1]! + 1);
    const samples = rows.column(0, count, state[SAMPLES]!);
    const times = rows.column(1, count, state[TIME]!);
    const bytes = rows.column(3, count, state[BYTES]!);
    const toDecode = compositionShift + delta + editMedia;
    for (let row = 0; row <= count; row++) times[row]! += toDecode;
    if (!(end <= TIME_MAX && times[count]! <= TIME_MAX)) throw broken('the times of a track are beyond all bounds');
    for (let row = 0; row < count; row++) {
      const [held, size] = [samples[row + 1]! - samples[row]!, bytes[row + 1]! - bytes[row]!];
      if (held > SEGMENT_SAMPLES_MAX || size > SEGMENT_BYTES_MAX)
        throw broken(`between two of its key frames there are ${held} frames of ${size} bytes, which are no segment`);
    }
    const kept = rows.column(2, count, end);
    const segments = { count, samples, times, begins: kept, bytes, fields: fields.slice(0, count) };
    return { segments, openGops: state[OPEN] !== 0, keyFrames: allSync ? undefined : this.#keyFrames() };
  }

  #keyFrames(): KeyFrames {
    const count = this.#state[KEYS]!;
    const column = (number: number) => this.#keys.column(number, count);
    return { samples: column(0), times: column(1), sizes: column(2) };
  }
}
