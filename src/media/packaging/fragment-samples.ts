import type { FragmentIndex } from '../fmp4/index.js';
import { readMfra, timesOf } from '../fmp4/mfra.js';
import {
  compositionOf,
  fieldOf,
  isSyncSample,
  SAMPLE_DURATION,
  SAMPLE_FLAGS,
  SAMPLE_OFFSET,
  type TrackFragment,
} from '../fmp4/moof.js';
import type { FragmentTrack } from '../fmp4/movie.js';
import { FragmentWalk } from '../fmp4/walk.js';
import { Column } from '../io/column.js';
import { IndexReader, IndexWriter } from '../io/index-bytes.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { broken } from '../mp4/box/broken.js';

/** Where the samples of a fragmented MP4 are told of: its `moof`, and what each holds of each track. */
export interface FragmentSamples {
  /** Absolute offsets of all `moof`, rising, and bytes of each. */
  readonly moofs: Float64Array;
  readonly sizes: Float64Array;
  /** Of each track of the index, in its order. */
  readonly tracks: readonly FragmentRows[];
}

/** The track fragments of a track that have samples, in the order of the file. */
export interface FragmentRows {
  /** Number of the `moof` of each, and place among the track's fragments in there. */
  readonly moofs: Float64Array;
  readonly places: Float64Array;
  /** Samples before each, and of all: one more than there are rows. Samples of `moov` itself do not count. */
  readonly samples: Float64Array;
  /**
   * Decoding time of each, ticks; not before the last sample of the one before, but for Smooth Streaming not before 0
   * either. The last is where the track ends.
   */
  readonly times: Float64Array;
  /** Least composition offset, ticks; 0 without rows. */
  readonly leastOffset: number;
  readonly allSync: boolean;
}

/** Bytes of memory of a `moof` and of a row while they are gathered, and after that. */
const MOOF_BYTES = 32;
const ROW_BYTES = 64;
/** Nanoseconds that a row costs, and a sample whose flags or durations are looked at. */
const ROW_WORK = 300;
const SAMPLE_WORK = 5;
/** Most ticks from a sample to the next one. */
const GAP_MAX = 0x7fff_ffff;
const [TIME_MAX, TIME_MIN] = [2 ** 50, -(2 ** 50)];

/** Walks over all fragments; `yield*` it. */
export function* surveySamples(source: MeteredSource, index: FragmentIndex): Reading<FragmentSamples> {
  const { tracks, reference, movie } = index;
  const [moofs, sizes] = [new Column(), new Column()];
  const rows = tracks.map(track => new RowColumns(track));
  const visit = (moof: Uint8Array, at: number, trafs: readonly TrackFragment[], times: readonly number[]) => {
    source.keep(MOOF_BYTES);
    moofs.push(at);
    sizes.push(moof.length);
    const view = new DataView(moof.buffer, moof.byteOffset, moof.length);
    const places = new Map<number, number>();
    for (const [i, traf] of trafs.entries()) {
      const track = tracks.findIndex(({ id }) => id === traf.trackId);
      if (track < 0) continue;
      const place = places.get(track) ?? 0;
      places.set(track, place + 1);
      if (traf.samples > 0) rows[track]!.add(source, view, traf, moofs.length - 1, place, times[i]!);
    }
  };
  const access = index.timed ? undefined : yield* readMfra(source);
  const claims = access && { claims: timesOf(access) };
  const walk = new FragmentWalk(source, index, reference, movie.to, { visit, ...claims });
  while (yield* walk.next(source.size)) {}
  return { moofs: moofs.whole(), sizes: sizes.whole(), tracks: rows.map(columns => columns.finish()) };
}

class RowColumns {
  readonly #moofs = new Column();
  readonly #places = new Column();
  readonly #samples = new Column();
  readonly #times = new Column();
  #count = 0;
  #syncs = 0;
  #leastOffset = Number.POSITIVE_INFINITY;
  /** Decoding time of the last sample, and where it ends. */
  #last: number;
  #end: number;

  constructor(private readonly track: FragmentTrack) {
    this.#end = track.ticks;
    // Without samples in the movie box, fragments may begin before 0.
    this.#last = track.ticks > 0 ? track.ticks : TIME_MIN;
  }

  add(
    source: MeteredSource,
    view: DataView,
    traf: TrackFragment,
    moof: number,
    place: number,
    decodeTime: number,
  ): void {
    source.keep(ROW_BYTES);
    source.spend(ROW_WORK + traf.samples * SAMPLE_WORK);
    const time = Math.max(decodeTime, this.#last);
    const follows = this.#count > 0 || this.track.ticks > 0;
    if (follows && time - this.#last > GAP_MAX) throw broken(`track ${this.track.id} has a gap of hours`);
    if (!(time + traf.duration <= TIME_MAX)) throw broken(`the times of track ${this.track.id} are beyond all bounds`);
    this.#moofs.push(moof);
    this.#places.push(place);
    this.#samples.push(this.#count);
    this.#times.push(time);
    this.#count += traf.samples;
    this.#syncs += syncsOf(view, traf);
    this.#leastOffset = Math.min(this.#leastOffset, leastOffsetOf(view, traf));
    this.#end = time + traf.duration;
    this.#last = this.#end - lastDuration(view, traf);
  }

  finish(): FragmentRows {
    const [samples, times] = [this.#samples.whole(1), this.#times.whole(1)];
    samples[samples.length - 1] = this.#count;
    times[times.length - 1] = this.#end;
    // Some writers say of no sample of sound that it can be decoded on its own.
    const allSync = this.#syncs === this.#count || (this.track.handler === 'soun' && this.#syncs === 0);
    const leastOffset = this.#count === 0 ? 0 : this.#leastOffset;
    return { moofs: this.#moofs.whole(), places: this.#places.whole(), samples, times, leastOffset, allSync };
  }
}

function syncsOf(view: DataView, { runs, sampleFlags }: TrackFragment): number {
  let syncs = 0;
  for (const run of runs) {
    const isSync = (i: number) => isSyncSample(view, run, i, sampleFlags);
    if (run.flags & SAMPLE_FLAGS) for (let i = 0; i < run.samples; i++) syncs += Number(isSync(i));
    else {
      // All but the first are alike.
      if (run.samples > 0) syncs += Number(isSync(0));
      if (run.samples > 1 && isSync(1)) syncs += run.samples - 1;
    }
  }
  return syncs;
}

function leastOffsetOf(view: DataView, { runs }: TrackFragment): number {
  let least = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    const told = run.flags & SAMPLE_OFFSET ? run.samples : Math.min(1, run.samples);
    for (let i = 0; i < told; i++) least = Math.min(least, compositionOf(view, run, i));
  }
  return least;
}

function lastDuration(view: DataView, { runs, sampleDuration }: TrackFragment): number {
  const run = runs.findLast(({ samples }) => samples > 0);
  return run === undefined ? 0 : fieldOf(view, run, run.samples - 1, SAMPLE_DURATION, sampleDuration);
}

/** Bytes that it takes in memory. */
export function fragmentSamplesWeight({ moofs, tracks }: FragmentSamples): number {
  return 400 + moofs.byteLength * 2 + tracks.reduce((sum, { samples }) => sum + 500 + samples.byteLength * 4, 0);
}

/** It as bytes, fields as `IndexWriter` writes them: its members in their order. */
export function encodeFragmentSamples({ moofs, sizes, tracks }: FragmentSamples): Uint8Array {
  const out = new IndexWriter().rising(moofs).row(sizes);
  for (const track of tracks) {
    out.rising(track.moofs).row(track.places).rising(track.samples).row(track.times);
    out.f64(track.leastOffset).u8(Number(track.allSync));
  }
  return out.finish();
}

/** Decodes what `encodeFragmentSamples` made for an index of an object; undefined when the bytes are anything else. */
export function decodeFragmentSamples(bytes: Uint8Array, index: FragmentIndex): FragmentSamples | undefined {
  try {
    const from = new IndexReader(bytes);
    const [moofs, sizes] = [from.rising(index.size, true), from.row(index.size)];
    check(moofs.length === sizes.length && moofs.every((moof, i) => moof + sizes[i]! <= index.size));
    const tracks = index.tracks.map((): FragmentRows => {
      const [rows, places] = [from.rising(Math.max(0, moofs.length - 1), false), from.row(0xff)];
      const [samples, times] = [from.rising(TIME_MAX, true), from.row(TIME_MAX, TIME_MIN)];
      const [leastOffset, allSync] = [from.f64(), from.u8() === 1];
      check(leastOffset === (leastOffset | 0));
      check(places.length === rows.length && (moofs.length > 0 || rows.length === 0));
      check(samples.length === rows.length + 1 && times.length === rows.length + 1);
      check(times.every((time, i) => i === 0 || time >= times[i - 1]!));
      return { moofs: rows, places, samples, times, leastOffset, allSync };
    });
    from.end();
    return { moofs, sizes, tracks };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function check(condition: boolean): asserts condition {
  if (!condition) throw new RangeError('no samples of fragments');
}
