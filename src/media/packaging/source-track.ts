import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import type { SampleRun } from './media-package.js';

/**
 * A track of the object as packaging reads it, wherever its samples are told of. Samples count from 0 in the order of
 * decoding; times are the source's, ticks of the track.
 */
export interface SourceTrack {
  readonly id: number;
  readonly handler: string;
  /** Ticks per second, at least 1. */
  readonly timescale: number;
  readonly samples: number;
  /** Composition time at which its last sample ends. */
  readonly mediaEnd: number;
  /** Least composition offset of a sample, ticks. */
  readonly leastOffset: number;
  readonly allSync: boolean;
  /** Samples before the wanted one that its decoder needs to give exact output. */
  readonly preroll: number;
  /** What is presented and when; or why that can't be told. */
  readonly presentation: Presented | { readonly reason: string };
  /** Why the track can't be packaged, if that is known beforehand. */
  readonly reason: string | undefined;
  /** Number of its only sample entry, from 0; undefined when several are in use. `yield*` it. */
  entry(source: MeteredSource): Reading<number | undefined>;
  /**
   * Reads samples `[first, first+count)` into a buffer that has room for them; `yield*` it.
   * @param places whether offsets are wanted
   * @returns decoding time of the first
   */
  read(source: MeteredSource, first: number, count: number, into: RunBuffer, places: boolean): Reading<number>;
  /** The last sync sample presented at or before composition time `media`; the first sample when there is none. */
  startAt(source: MeteredSource, media: number): Reading<number>;
  /** The first sample, in the order of decoding, that is of no use for what is presented before `media`. */
  endAt(source: MeteredSource, media: number): Reading<number>;
}

/** An object as packaging reads it. */
export interface SourceMovie {
  /** Where its movie box stands. */
  readonly movieAt: number;
  /** The tracks that have samples. */
  readonly tracks: readonly SourceTrack[];
}

/** The stretch of its media that a track presents. */
export interface Presented {
  /** Seconds of the source's presentation. */
  readonly start: number;
  readonly end: number;
  /** Composition time at `start`, ticks. */
  readonly media: number;
}

/** `sample_flags` of samples that depend on no other, and of the rest (ISO/IEC 14496-12 section 8.8.3.1). */
export const SYNC = 0x0200_0000;
export const NOT_SYNC = 0x0101_0000;

/** Room for samples. */
export class RunBuffer implements SampleRun {
  count = 0;
  readonly offsets: Float64Array;
  readonly sizes: Uint32Array;
  readonly durations: Uint32Array;
  readonly compositions: Int32Array;
  readonly flags: Uint32Array;

  /**
   * @param room samples
   * @param places whether there is room for offsets
   */
  constructor(room: number, places: boolean) {
    this.offsets = new Float64Array(places ? room : 0);
    this.sizes = new Uint32Array(room);
    this.durations = new Uint32Array(room);
    this.compositions = new Int32Array(room);
    this.flags = new Uint32Array(room);
  }
}
