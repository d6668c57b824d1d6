import { native } from '../../base/native.js';
import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../fmp4/moof.js';
import { Column } from '../io/column.js';
import type { MeteredSource } from '../io/metered-source.js';
import { broken } from '../mp4/box/broken.js';
import type { Boundaries } from './boundaries.js';
import type { KeyFrames, SegmentRows } from './media-package.js';
import type { RunBuffer } from './source-track.js';

/** Most samples of a segment, and most bytes of its media, whose box has a size of 32 bits. */
export const SEGMENT_SAMPLES_MAX = 100_000;
export const SEGMENT_BYTES_MAX = 0xfff0_0000;
/** Most segments of a track: a week of 6 s. */
const SEGMENTS_MAX = 100_000;
/** Bytes of memory that a row takes while it is made and in the package. */
const ROW_BYTES = 80;
/** Bytes of memory that a key frame takes while it is sought and in the package. */
const KEY_FRAME_BYTES = 48;
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
  /** Undefined of a track that has nothing else, whose players want few of them. */
  readonly keyFrames: KeyFrames | undefined;
}

/**
 * What the samples so far come to, in the order of native/samples.h. Bytes of all samples so far, and decoding time of
 * the next one; of the row at hand the earliest presentation; the latest end of any sample, and the presentation of the
 * sync sample at hand; of the row its fields but for flags, and its sync samples; whether GOPs are open, and whether an
 * offset is too large.
 */
const [BYTES, TIME, BEGIN, END, KEY, FIELDS, SYNCS, OPEN, OVERFLOWS, SUMS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Place of the presentation among the rules from which on a sync sample ends the summing. */
const BOUNDARY = 4;

/** Cuts a track into segments: is given all its samples in turn. The first one is a sync sample. */
export class RowBuilder {
  readonly #samples = new Column();
  readonly #times = new Column();
  readonly #begins = new Column();
  readonly #bytes = new Column();
  readonly #fields = new Column();
  /** The row at hand: its first sample, decoding time, bytes before it. */
  #row = { first: 0, time: 0, bytes: 0 };
  readonly #sums = new Float64Array(SUMS);
  readonly #rules: Float64Array;
  /** Key frames as `native.sumSamples` tells of them, and those so far. */
  #found = new Float64Array(1);
  readonly #keys = { samples: new Column(), times: new Column(), sizes: new Column() };
  #next = 0;
  /** Presentation from which on a sync sample begins a row. */
  #boundary = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly source: MeteredSource,
    private readonly rules: RowRules,
  ) {
    const { delta, compositionShift, duration, size } = rules;
    this.#rules = Float64Array.of(delta, compositionShift, duration, size, 0);
  }

  /**
   * Takes in samples.
   * @param first number of the first
   * @param time decoding time of the first
   */
  add(run: RunBuffer, first: number, time: number): void {
    this.#sums[TIME] = time;
    const keys = this.rules.allSync ? 0 : run.count;
    if (this.#found.length < 1 + 3 * keys) this.#found = new Float64Array(1 + 3 * keys);
    for (let i = 0; i < run.count; ) {
      const next = run.plain ? sumPlain(run, i, this.#sums, this.rules, this.#boundary) : this.#sumUp(run, i, first);
      // Nothing is summed up where a row begins.
      if (next < run.count) this.#open(first + next, this.#sums[TIME]! + run.compositions[next]! + this.rules.delta);
      i = next;
    }
    this.#next = first + run.count;
  }

  /**
   * Sums up samples from `from` on, up to the first that begins a row.
   * @param first number of the run's first sample
   * @returns the number of that one in the run, or of samples
   */
  #sumUp({ count, sizes, durations, compositions, flags }: RunBuffer, from: number, first: number): number {
    const [rules, sums, found] = [this.#rules, this.#sums, this.#found];
    rules[BOUNDARY] = this.#boundary;
    const next = native.sumSamples(sizes, durations, compositions, flags, count, from, rules, sums, found);
    if (sums[OVERFLOWS] !== 0) throw broken('the composition offsets of a track are too far apart');
    for (let at = 1, end = 1 + 3 * found[0]!; at < end; at += 3) {
      this.#addKey(first + found[at]!, found[at + 1]!, found[at + 2]!);
    }
    return next;
  }

  /** Of key frames those that are presented after all before them can be sought. */
  #addKey(sample: number, presented: number, bytes: number): void {
    const { samples, times, sizes } = this.#keys;
    if (presented < (times.length === 0 ? 0 : times.at(times.length - 1) + 1)) return;
    this.source.keep(KEY_FRAME_BYTES);
    samples.push(sample);
    times.push(presented);
    sizes.push(bytes);
  }

  /** Begins a row with a sample, which is presented at `presented`. */
  #open(first: number, presented: number): void {
    if (this.#boundary !== Number.NEGATIVE_INFINITY) this.#close();
    this.#row = { first, time: this.#sums[TIME]!, bytes: this.#sums[BYTES]! };
    this.#sums[BEGIN] = presented;
    this.#sums[FIELDS] = 0;
    this.#sums[SYNCS] = 0;
    const { boundaries, timescale } = this.rules;
    this.#boundary = Math.max(presented + 1, boundaries.after(presented / timescale) * timescale);
  }

  /** Writes the row at hand; where it does not begin later than the one before, as a part of that. */
  #close(): void {
    const { first, time, bytes } = this.#row;
    const fields = this.#sums[FIELDS]! | (this.#sums[SYNCS]! > 1 && !this.rules.allSync ? SAMPLE_FLAGS : 0);
    const begin = Math.max(0, this.#sums[BEGIN]!);
    const last = this.#begins.length - 1;
    if (last >= 0 && begin <= this.#begins.at(last)) {
      const joined = this.#fields.at(last) | fields | (this.rules.allSync ? 0 : SAMPLE_FLAGS);
      this.#fields.replaceLast(joined);
      return;
    }
    if (last + 1 >= SEGMENTS_MAX) throw broken(`a track has more than ${SEGMENTS_MAX} segments`);
    this.source.keep(ROW_BYTES);
    this.#samples.push(first);
    this.#times.push(time);
    this.#begins.push(begin);
    this.#bytes.push(bytes);
    this.#fields.push(fields);
  }

  #keyFrames(): KeyFrames {
    const { samples, times, sizes } = this.#keys;
    return { samples: samples.whole(), times: times.whole(), sizes: sizes.whole() };
  }

  /** @throws EdgeError `unplayable` when a segment would be too large, or time has no bounds */
  finish(): CutTrack {
    const { timescale, delta, compositionShift, editMedia, shortest, allSync } = this.rules;
    this.#close();
    let count = this.#samples.length;
    const begins = this.#begins.whole(1);
    const fields = Uint16Array.from(this.#fields.whole());
    while (count > 1 && this.#sums[END]! - begins[count - 1]! < shortest * timescale) {
      count--;
      fields[count - 1]! |= fields[count]! | (allSync ? 0 : SAMPLE_FLAGS);
    }
    const [time, total, openGops] = [this.#sums[TIME]!, this.#sums[BYTES]!, this.#sums[OPEN] !== 0];
    const end = Math.max(this.#sums[END]!, begins[count - 1]! + 1);
    const ended = (column: Column, last: number) => {
      const rows = column.whole(1).slice(0, count + 1);
      rows[count] = last;
      return rows;
    };
    const [samples, times, bytes] = [
      ended(this.#samples, this.#next),
      ended(this.#times, time),
      ended(this.#bytes, total),
    ];
    const toDecode = compositionShift + delta + editMedia;
    for (let row = 0; row <= count; row++) times[row]! += toDecode;
    if (!(end <= TIME_MAX && times[count]! <= TIME_MAX)) throw broken('the times of a track are beyond all bounds');
    for (let row = 0; row < count; row++) {
      const [held, size] = [samples[row + 1]! - samples[row]!, bytes[row + 1]! - bytes[row]!];
      if (held > SEGMENT_SAMPLES_MAX || size > SEGMENT_BYTES_MAX)
        throw broken(`between two of its key frames there are ${held} frames of ${size} bytes, which are no segment`);
    }
    const kept = ended(this.#begins, end);
    const segments = { count, samples, times, begins: kept, bytes, fields: fields.slice(0, count) };
    return { segments, openGops, keyFrames: allSync ? undefined : this.#keyFrames() };
  }
}

/**
 * Sums up samples from `from` on, up to the first that begins a row, when they follow each other evenly and are all
 * sync samples.
 * @param boundary presentation from which on one begins a row
 * @returns the number of that one, or of samples
 */
function sumPlain(run: RunBuffer, from: number, sums: Float64Array, rules: RowRules, boundary: number): number {
  const { count, sizes, durations, compositions } = run;
  const { size } = rules;
  const [duration, composition] = [durations[from]!, compositions[from]!];
  const presented = sums[TIME]! + composition + rules.delta;
  if (presented >= boundary) return from;
  const next = Math.min(count, duration === 0 ? count : from + Math.ceil((boundary - presented) / duration));
  let [bytes, others] = [sums[BYTES]!, 0];
  for (let i = from; i < next; i++) {
    bytes += sizes[i]!;
    others |= sizes[i]! ^ size;
  }
  const lasts = duration * (next - from);
  sums[BYTES] = bytes;
  sums[TIME]! += lasts;
  sums[BEGIN] = Math.min(sums[BEGIN]!, presented);
  sums[KEY] = presented + lasts - duration;
  sums[END] = Math.max(sums[END]!, presented + lasts);
  sums[SYNCS]! += next - from;
  if (duration !== rules.duration) sums[FIELDS]! |= SAMPLE_DURATION;
  if (others !== 0) sums[FIELDS]! |= SAMPLE_SIZE;
  if (composition !== rules.compositionShift) sums[FIELDS]! |= SAMPLE_OFFSET;
  return next;
}
