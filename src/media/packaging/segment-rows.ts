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
/** Most segments of a track: a week of 6 s. */
const SEGMENTS_MAX = 100_000;
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

/** What the samples so far come to: those of the row at hand, and the place after them. */
interface Sums {
  /** Bytes of all samples so far, and decoding time of the next one. */
  bytes: number;
  time: number;
  /** Earliest presentation in the row, its fields but for flags, and its sync samples. */
  begin: number;
  fields: number;
  syncs: number;
  /** Presentation of the sync sample at hand, and latest end of any sample. */
  key: number;
  end: number;
  openGops: boolean;
}

/** Cuts a track into segments: is given all its samples in turn. The first one is a sync sample. */
export class RowBuilder {
  readonly #samples = new Column();
  readonly #times = new Column();
  readonly #begins = new Column();
  readonly #bytes = new Column();
  readonly #fields = new Column();
  /** The row at hand: its first sample, decoding time, bytes before it. */
  #row = { first: 0, time: 0, bytes: 0 };
  #sums: Sums = { bytes: 0, time: 0, begin: 0, fields: 0, syncs: 0, key: 0, end: 0, openGops: false };
  #next = 0;
  /** Presentation from which on a sync sample begins a row. */
  #boundary = Number.NEGATIVE_INFINITY;

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
    this.#sums.time = time;
    const sum = run.plain ? sumPlain : sumUp;
    for (let i = 0; i < run.count; ) {
      const next = sum(run, i, this.#sums, this.rules, this.#boundary);
      // Nothing is summed up where a row begins.
      if (next < run.count) this.#open(first + next, this.#sums.time + run.compositions[next]! + this.rules.delta);
      i = next;
    }
    this.#next = first + run.count;
  }

  /** Begins a row with a sample, which is presented at `presented`. */
  #open(first: number, presented: number): void {
    if (this.#boundary !== Number.NEGATIVE_INFINITY) this.#close();
    const { time, bytes } = this.#sums;
    this.#row = { first, time, bytes };
    this.#sums.begin = presented;
    this.#sums.fields = 0;
    this.#sums.syncs = 0;
    const { boundaries, timescale } = this.rules;
    this.#boundary = Math.max(presented + 1, boundaries.after(presented / timescale) * timescale);
  }

  /** Writes the row at hand; where it does not begin later than the one before, as a part of that. */
  #close(): void {
    const { first, time, bytes } = this.#row;
    const fields = this.#sums.fields | (this.#sums.syncs > 1 && !this.rules.allSync ? SAMPLE_FLAGS : 0);
    const begin = Math.max(0, this.#sums.begin);
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

  /** @throws EdgeError `unplayable` when a segment would be too large, or time has no bounds */
  finish(): CutTrack {
    const { timescale, delta, compositionShift, editMedia, shortest, allSync } = this.rules;
    this.#close();
    let count = this.#samples.length;
    const begins = this.#begins.whole(1);
    const fields = Uint16Array.from(this.#fields.whole());
    while (count > 1 && this.#sums.end - begins[count - 1]! < shortest * timescale) {
      count--;
      fields[count - 1]! |= fields[count]! | (allSync ? 0 : SAMPLE_FLAGS);
    }
    const { time, bytes: total, openGops } = this.#sums;
    const end = Math.max(this.#sums.end, begins[count - 1]! + 1);
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
    return { segments: { count, samples, times, begins: kept, bytes, fields: fields.slice(0, count) }, openGops };
  }
}

/**
 * Sums up samples from `from` on, up to the first that begins a row.
 * @param boundary presentation from which on a sync sample does so
 * @returns the number of that one, or of samples
 */
function sumUp(run: RunBuffer, from: number, sums: Sums, rules: RowRules, boundary: number): number {
  const { count, sizes, durations, compositions, flags } = run;
  const { delta, compositionShift, duration, size } = rules;
  let { bytes, time, begin, fields, syncs, key, end, openGops } = sums;
  let [i, overflow] = [from, 0];
  for (; i < count; i++) {
    const composition = compositions[i]!;
    const presented = time + composition + delta;
    if (flags[i] === SYNC) {
      if (presented >= boundary) break;
      syncs++;
      key = presented;
    } else if (presented < key) {
      openGops = true;
    }
    begin = Math.min(begin, presented);
    const length = durations[i]!;
    end = Math.max(end, presented + length);
    if (length !== duration) fields |= SAMPLE_DURATION;
    if (sizes[i] !== size) fields |= SAMPLE_SIZE;
    if (composition !== compositionShift) fields |= SAMPLE_OFFSET;
    overflow |= (composition ^ compositionShift) & (composition ^ (composition - compositionShift));
    time += length;
    bytes += sizes[i]!;
  }
  if (overflow < 0) throw broken('the composition offsets of a track are too far apart');
  Object.assign(sums, { bytes, time, begin, fields, syncs, key, end, openGops });
  return i;
}

/** The same for samples that follow each other evenly, all of them sync samples. */
function sumPlain(run: RunBuffer, from: number, sums: Sums, rules: RowRules, boundary: number): number {
  const { count, sizes, durations, compositions } = run;
  const { size } = rules;
  const [duration, composition] = [durations[from]!, compositions[from]!];
  const presented = sums.time + composition + rules.delta;
  if (presented >= boundary) return from;
  const next = Math.min(count, duration === 0 ? count : from + Math.ceil((boundary - presented) / duration));
  let [bytes, others] = [sums.bytes, 0];
  for (let i = from; i < next; i++) {
    bytes += sizes[i]!;
    others |= sizes[i]! ^ size;
  }
  const lasts = duration * (next - from);
  sums.bytes = bytes;
  sums.time += lasts;
  sums.begin = Math.min(sums.begin, presented);
  sums.key = presented + lasts - duration;
  sums.end = Math.max(sums.end, presented + lasts);
  sums.syncs += next - from;
  if (duration !== rules.duration) sums.fields |= SAMPLE_DURATION;
  if (others !== 0) sums.fields |= SAMPLE_SIZE;
  if (composition !== rules.compositionShift) sums.fields |= SAMPLE_OFFSET;
  return next;
}
