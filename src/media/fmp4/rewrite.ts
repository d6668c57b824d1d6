import { boxBody, parseBox, parseBoxes, u32, u64 } from '../mp4/box/box.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import { broken } from '../mp4/box/broken.js';
import { joinRegions, type Region } from '../mp4/box/regions.js';
import {
  BASE_DATA_OFFSET,
  compositionOf,
  DATA_OFFSET,
  DEFAULT_BASE_IS_MOOF,
  FIRST_FLAGS,
  fieldOf,
  isSyncSample,
  parseMoof,
  SAMPLE_DURATION,
  SAMPLE_SIZE,
  type TrackFragment,
  type TrackRun,
} from './moof.js';
import type { FragmentTrack } from './movie.js';

/** What becomes of a track fragment. */
export interface TrafChange {
  /** Decoding time of its first sample, ticks. */
  readonly time: number;
  /**
   * Decoding times between which samples are kept, from the sync sample at or before the first on; undefined for all.
   */
  readonly window?: { readonly from: number; readonly to: number };
}

/**
 * A `moof` that is written anew: every track fragment says its decoding time, and its runs where their data are,
 * counted from the `moof`.
 */
export interface NewMoof {
  readonly bytes: Uint8Array;
  /** Bytes of the file that hold its samples. */
  readonly data: readonly Region[];
}

/** Boxes of a track fragment that only help, and are left out when some of its samples are. */
const HINTS = new Set(['sdtp', 'sbgp', 'free', 'skip', 'uuid']);
/** Boxes of which a track fragment may consist if some of its samples are to be left out. */
const DIVISIBLE = new Set(['tfhd', 'tfdt', 'trun', ...HINTS]);

/**
 * Writes a `moof` anew.
 * @param moof the whole box
 * @param at where it stands in the file
 * @param change what becomes of a track fragment, by its place among those that `parseMoof` finds; undefined to leave
 *   it out
 * @param place where a byte of the file that the samples take is to stand, counted from the new `moof`'s first byte
 * @throws EdgeError `unplayable` when it is broken
 */
export function rewriteMoof(
  moof: Uint8Array,
  at: number,
  tracks: readonly FragmentTrack[],
  change: (fragment: TrackFragment, i: number) => TrafChange | undefined,
  place: (position: number) => number,
): NewMoof {
  try {
    return new MoofWriter(moof, at, place).write(parseMoof(moof, at, tracks), change);
  } catch (error) {
    if (error instanceof RangeError) throw broken(`a movie fragment in it is broken (${error.message})`);
    throw error;
  }
}

class MoofWriter {
  readonly #writer: BoxWriter;
  readonly #view: DataView;
  readonly #data: Region[] = [];
  /** How boxes inside the `moof` have moved: where one began, and where it begins now. */
  readonly #moved: { from: number; to: number }[] = [];
  /** `saio` boxes, whose offsets are known when all has been written. */
  readonly #offsets: { at: number; count: number; wide: boolean; base: number }[] = [];

  constructor(
    private readonly moof: Uint8Array,
    private readonly at: number,
    private readonly place: (position: number) => number,
  ) {
    this.#writer = new BoxWriter(moof.length + 256);
    this.#view = new DataView(moof.buffer, moof.byteOffset, moof.length);
  }

  write(
    fragments: readonly TrackFragment[],
    change: (fragment: TrackFragment, i: number) => TrafChange | undefined,
  ): NewMoof {
    const mark = this.#writer.open('moof');
    let copied = boxBody(parseBox(this.moof, 0, 0, this.moof.length));
    fragments.forEach((fragment, i) => {
      this.#copy(copied, fragment.offset);
      const changed = change(fragment, i);
      if (changed) this.#traf(fragment, changed);
      copied = fragment.end;
    });
    this.#copy(copied, this.moof.length);
    this.#writer.close(mark);
    const bytes = this.#writer.take();
    this.#placeAuxiliary(bytes);
    return { bytes, data: joinRegions(this.#data) };
  }

  #copy(from: number, to: number): void {
    if (to <= from) return;
    this.#moved.push({ from, to: this.#writer.length });
    this.#writer.bytes(this.moof.subarray(from, to));
  }

  #traf(fragment: TrackFragment, { time, window }: TrafChange): void {
    const boxes = parseBoxes(this.moof, fragment.body, fragment.end);
    const divided = window !== undefined && boxes.every(({ type }) => DIVISIBLE.has(type));
    const all = { first: 0, end: fragment.samples, time };
    const kept = divided ? samplesIn(this.#view, fragment, time, window) : all;
    const mark = this.#writer.open('traf');
    const [tfhd, tfdt] = ['tfhd', 'tfdt'].map(wanted => boxes.find(({ type }) => type === wanted));
    this.#head(fragment, boxBody(tfhd!), tfhd!.end);
    if (tfdt && kept.first === 0) this.#copy(tfdt.offset, tfdt.end);
    else this.#time(kept.time);
    let first = 0;
    for (const box of boxes) {
      if (box === tfhd || box === tfdt) continue;
      const run = fragment.runs.find(({ offset }) => offset === box.offset);
      if (run) {
        this.#run(fragment, run, Math.max(0, kept.first - first), Math.min(run.samples, kept.end - first), divided);
        first += run.samples;
      } else if (box.type === 'saio') {
        this.#auxiliary(fragment, box.offset, box.end);
      } else if (!divided || !HINTS.has(box.type)) {
        this.#copy(box.offset, box.end);
      }
    }
    this.#writer.close(mark);
  }

  #head({ absolute }: TrackFragment, body: number, end: number): void {
    const mark = this.#writer.open('tfhd');
    this.#writer.u32((u32(this.moof, body) & ~BASE_DATA_OFFSET) | DEFAULT_BASE_IS_MOOF);
    this.#writer.bytes(this.moof.subarray(body + 4, body + 8));
    this.#writer.bytes(this.moof.subarray(body + (absolute ? 16 : 8), end));
    this.#writer.close(mark);
  }

  #time(time: number): void {
    const mark = this.#writer.openFull('tfdt', 1, 0);
    this.#writer.u64(Math.max(0, time));
    this.#writer.close(mark);
  }

  /** Samples `[from, to)` of a run; in a divided track fragment, one without samples is left out. */
  #run({ sampleSize }: TrackFragment, run: TrackRun, from: number, to: number, divided: boolean): void {
    if (divided && from >= to) return;
    const word = u32(this.moof, run.body);
    const whole = from === 0 && to === run.samples;
    const flags = (word | DATA_OFFSET) & ~(from > 0 ? FIRST_FLAGS : 0);
    const bytes = (end: number) => {
      let sum = 0;
      for (let i = 0; i < end; i++) sum += fieldOf(this.#view, run, i, SAMPLE_SIZE, sampleSize);
      return sum;
    };
    const [position, end] = whole
      ? [run.position, run.position + run.bytes]
      : [run.position + bytes(from), run.position + bytes(to)];
    if (end > position) this.#data.push({ from: position, to: end });
    const mark = this.#writer.open('trun');
    this.#writer.u32(flags >>> 0);
    this.#writer.u32(to - from);
    const offset = end > position ? this.place(position) : 0;
    if (!(Math.abs(offset) < 0x8000_0000)) throw new RangeError('its data are too far away');
    this.#writer.u32(offset >>> 0);
    if (run.flags & FIRST_FLAGS && from === 0) this.#writer.u32(run.firstFlags!);
    const { entries, entrySize } = run;
    this.#writer.bytes(this.moof.subarray(entries + from * entrySize, whole ? run.end : entries + to * entrySize));
    this.#writer.close(mark);
  }

  #auxiliary(fragment: TrackFragment, from: number, to: number): void {
    const start = this.#writer.length;
    this.#copy(from, to);
    const flags = u32(this.moof, from + 8);
    const list = from + 12 + (flags & 1 ? 8 : 0);
    const wide = this.moof[from + 8] !== 0;
    const count = Math.min(this.#view.getUint32(list), Math.floor((to - list - 4) / (wide ? 8 : 4)));
    this.#offsets.push({ at: start + list + 4 - from, count, wide, base: baseOf(this.moof, this.at, fragment) });
  }

  /**
   * Offsets of auxiliary information count from where those of the data do, and lead into the `moof` or to the data.
   */
  #placeAuxiliary(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { at, count, wide, base } of this.#offsets) {
      for (let i = 0; i < count; i++) {
        const field = at + i * (wide ? 8 : 4);
        const position = base + (wide ? u64(bytes, field) : u32(bytes, field));
        const inside = position - this.at;
        const moved = inside >= 0 && inside < this.moof.length && this.#moved.findLast(({ from }) => from <= inside);
        const offset = moved ? inside - moved.from + moved.to : this.place(position);
        if (offset < 0) throw new RangeError('its auxiliary information is before it');
        if (wide) view.setBigUint64(field, BigInt(offset));
        else view.setUint32(field, offset);
      }
    }
  }
}

function baseOf(moof: Uint8Array, at: number, { header, absolute }: TrackFragment): number {
  return absolute ? u64(moof, header + 8) : at;
}

/**
 * The samples in a window of time: from the last sync sample at or before its beginning, or the first sample, to the
 * first at or after its end.
 */
function samplesIn(
  view: DataView,
  fragment: TrackFragment,
  begin: number,
  { from, to }: { readonly from: number; readonly to: number },
): { first: number; end: number; time: number } {
  const kept = { first: 0, end: fragment.samples, time: begin };
  for (const { number, time, sync } of samplesOf(view, fragment, begin)) {
    if (time <= from && sync) Object.assign(kept, { first: number, time });
    if (time >= to && number > kept.first) {
      kept.end = number;
      break;
    }
  }
  return kept;
}

/** A sync sample of a track fragment. */
export interface SyncSample {
  /** Presentation time, ticks. */
  readonly time: number;
  /** Decoding time; undefined for the first sample, with which the whole track fragment begins. */
  readonly decodeTime: number | undefined;
}

/**
 * The sync samples of a track fragment.
 * @param moof the whole box, at `at` of the file
 * @param place which of the track's
 * @param begin decoding time of the first sample
 */
export function syncSamplesOf(
  moof: Uint8Array,
  at: number,
  tracks: readonly FragmentTrack[],
  { id, shift }: FragmentTrack,
  place: number,
  begin: number,
): SyncSample[] {
  const fragment = parseMoof(moof, at, tracks).filter(({ trackId }) => trackId === id)[place];
  if (!fragment) throw broken(`the movie fragment at byte ${at} is not what its index says`);
  const view = new DataView(moof.buffer, moof.byteOffset, moof.length);
  const found: SyncSample[] = [];
  for (const { time, number, sync, composition } of samplesOf(view, fragment, begin)) {
    if (sync) found.push({ time: Math.max(0, time + composition - shift), decodeTime: number > 0 ? time : undefined });
  }
  return found;
}

/** The samples of a track fragment one after the other; the object is the same each time. */
function* samplesOf(view: DataView, { runs, sampleDuration, sampleFlags }: TrackFragment, begin: number) {
  const sample = { number: 0, time: begin, sync: false, composition: 0 };
  for (const run of runs) {
    for (let i = 0; i < run.samples; i++, sample.number++) {
      sample.sync = isSyncSample(view, run, i, sampleFlags);
      sample.composition = compositionOf(view, run, i);
      yield sample;
      sample.time += fieldOf(view, run, i, SAMPLE_DURATION, sampleDuration);
    }
  }
}
