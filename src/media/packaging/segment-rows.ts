import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../fmp4/moof.js';
import { Column } from '../io/column.js';
import type { MeteredSource } from '../io/metered-source.js';
import { broken } from '../mp4/box/broken.js';
import type { Boundaries } from './boundaries.js';
import type { SegmentRows } from './media-package.js';
import { type RunBuffer, SYNC } from './source-track.js';

/** Most samples of a segment, and most bytes of its media, whose box has a size of 32 bits. */
export const SEGMENT_SAMPLES_MAX = 100_000;
export const SEGMENT_BYTES_MAX = 0xfff0_0000;
/** Bytes of memory that a row takes while it is made and in the package. */
const ROW_BYTES = 80;
/** Greatest time in ticks. */
const TIME_MAX = 2 ** 50;

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
}

/** Cuts a track into segments: is given all its samples in turn. The first one is a sync sample. */
export class RowBuilder {
  readonly #samples = new Column();
  readonly #times = new Column();
  readonly #begins = new Column();
  readonly #bytes = new Column();
  readonly #fields = new Column();
  /** The row at hand: its first sample, decoding time, bytes before it, earliest presentation and fields. */
  #row = { first: 0, time: 0, bytes: 0, begin: 0, fields: 0 };
  /** The next sample, its decoding time, bytes before it. */
  #next = { sample: 0, time: 0, bytes: 0 };
  /** Presentation from which on a sync sample begins a row. */
  #boundary = Number.NEGATIVE_INFINITY;
  /** Presentation of the sync sample at hand, and latest end so far. */
  #key = 0;
  #end = 0;
  #openGops = false;

  constructor(
    private readonly source: MeteredSource,
    private readonly rules: RowRules,
  ) {}

  /**
   * Takes in samples.
   * @param first number of the first
   * @param time decoding time of the first
   */
  add(run: RunBuffer, first: number, time: number): void {
    const { count, sizes, durations, compositions, flags } = run;
    const { delta, compositionShift, duration, size, allSync } = this.rules;
    let decoded = time;
    let { bytes } = this.#next;
    let { begin, fields } = this.#row;
    let [boundary, key, latest] = [this.#boundary, this.#key, this.#end];
    for (let i = 0; i < count; i++) {
      const offset = compositions[i]! - compositionShift;
      const presented = decoded + compositions[i]! + delta;
      if (flags[i] === SYNC) {
        if (presented >= boundary) {
          this.#row.begin = begin;
          this.#row.fields = fields;
          this.#next = { sample: first + i, time: decoded, bytes };
          this.#open(presented);
          boundary = this.#boundary;
          begin = presented;
          fields = 0;
        } else if (!allSync) {
          fields |= SAMPLE_FLAGS;
        }
        key = presented;
      } else if (presented < key) {
        this.#openGops = true;
      }
      if (presented < begin) begin = presented;
      const length = durations[i]!;
      if (presented + length > latest) latest = presented + length;
      if (length !== duration) fields |= SAMPLE_DURATION;
      if (sizes[i] !== size) fields |= SAMPLE_SIZE;
      if (offset !== 0) {
        if (offset !== (offset | 0)) throw broken('the composition offsets of a track are too far apart');
        fields |= SAMPLE_OFFSET;
      }
      decoded += length;
      bytes += sizes[i]!;
    }
    this.#row.begin = begin;
    this.#row.fields = fields;
    this.#next = { sample: first + count, time: decoded, bytes };
    [this.#boundary, this.#key, this.#end] = [boundary, key, latest];
  }

  /** Begins a row with the next sample, which is presented at `presented`. */
  #open(presented: number): void {
    if (this.#boundary !== Number.NEGATIVE_INFINITY) this.#close();
    const { sample, time, bytes } = this.#next;
    this.#row = { first: sample, time, bytes, begin: presented, fields: 0 };
    const { boundaries, timescale } = this.rules;
    this.#boundary = boundaries.after(presented / timescale) * timescale;
  }

  /** Writes the row at hand; where it does not begin later than the one before, as a part of that. */
  #close(): void {
    const { first, time, bytes, fields } = this.#row;
    const begin = Math.max(0, this.#row.begin);
    const last = this.#begins.length - 1;
    if (last >= 0 && begin <= this.#begins.at(last)) {
      const joined = this.#fields.at(last) | fields | (this.rules.allSync ? 0 : SAMPLE_FLAGS);
      this.#fields.replaceLast(joined);
      return;
    }
    this.source.keep(ROW_BYTES);
    this.#samples.push(first);
    this.#times.push(time);
    this.#begins.push(begin);
    this.#bytes.push(bytes);
    this.#fields.push(fields);
  }

  /** @throws EdgeError `unplayable` when a segment would be too large, or time has no bounds */
  finish(): CutTrack {
    const { timescale, delta, compositionShift, editMedia, shortest, allSync } = this.rules;
    this.#close();
    let count = this.#samples.length;
    const begins = this.#begins.whole(1);
    const fields = Uint16Array.from(this.#fields.whole());
    while (count > 1 && this.#end - begins[count - 1]! < shortest * timescale) {
      count--;
      fields[count - 1]! |= fields[count]! | (allSync ? 0 : SAMPLE_FLAGS);
    }
    const end = Math.max(this.#end, begins[count - 1]! + 1);
    const { sample, time, bytes: total } = this.#next;
    const ended = (column: Column, last: number) => {
      const rows = column.whole(1).slice(0, count + 1);
      rows[count] = last;
      return rows;
    };
    const [samples, times, bytes] = [ended(this.#samples, sample), ended(this.#times, time), ended(this.#bytes, total)];
    const toDecode = compositionShift + delta + editMedia;
    for (let row = 0; row <= count; row++) times[row]! += toDecode;
    if (!(end <= TIME_MAX && times[count]! <= TIME_MAX)) throw broken('the times of a track are beyond all bounds');
    for (let row = 0; row < count; row++) {
      const [held, size] = [samples[row + 1]! - samples[row]!, bytes[row + 1]! - bytes[row]!];
      if (held > SEGMENT_SAMPLES_MAX || size > SEGMENT_BYTES_MAX)
        throw broken(`between two of its key frames there are ${held} frames of ${size} bytes, which are no segment`);
    }
    const kept = ended(this.#begins, end);
    return {
      segments: { count, samples, times, begins: kept, bytes, fields: fields.slice(0, count) },
      openGops: this.#openGops,
    };
  }
}
