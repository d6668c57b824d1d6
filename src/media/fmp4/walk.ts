import { EdgeError } from '../../base/errors.js';
import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, read } from '../io/reading.js';
import { type Box, readBox } from '../mp4/box/box.js';
import { broken } from '../mp4/box/broken.js';
import { Points } from '../seek/points.js';
import type { RandomAccessTimes } from './mfra.js';
import { MOOF_MAX, parseMoof, type TrackFragment } from './moof.js';
import type { FragmentedMovie, FragmentTrack } from './movie.js';
import { rewriteMoof } from './rewrite.js';
import { type FragmentSurvey, LEAD } from './survey.js';

/**
 * Boxes that stand before a `moof` and belong to it (ISO/IEC 14496-12 sections 8.16.2 to 8.16.5, ISO/IEC 23009-1
 * section 5.10.3).
 */
const LEADING = new Set(['styp', 'sidx', 'ssix', 'prft', 'emsg']);
/**
 * Seconds by which a time that is claimed may differ from what the samples before come to, and not be believed:
 * rounding, or priming.
 */
const LATITUDE = 0.05;
/** Bytes of memory that a `sidx` and a `moof` take while the walk lasts. */
const BOX_BYTES = 128;
const MOOF_BYTES = 64;
/**
 * Nanoseconds that it costs to take a `moof` apart, beside being read: for each box of some kinds, and for each byte.
 */
const BOX_WORK = 8000;
const BYTE_WORK = 3;
/** Fragments of other tracks since the last one of the reference track that are remembered. */
const OTHERS_MAX = 1024;

/** A fragment of the reference track. */
export interface ReferenceFragment {
  /**
   * Absolute offset of the first box that belongs to it, or to a fragment of another track that is presented together
   * with it.
   */
  readonly position: number;
  /** Absolute offset of its `moof`. */
  readonly moof: number;
  /** Presentation time of its first sample, ticks of the track. */
  readonly time: number;
  /** Whether that is a sync sample. */
  readonly sync: boolean;
  /** Ticks at which its presentation ends, about. */
  readonly end: number;
}

/** What a walk is given beside the file. */
export interface WalkOptions {
  /** Takes all fragments in. */
  readonly survey?: FragmentSurvey;
  /** Presentation times that `mfra` claims. */
  readonly claims?: RandomAccessTimes;
}

/** Walks over the boxes after `moov` and reads each `moof`. A fragment counts when its media are whole. */
export class FragmentWalk {
  /** The fragment of the reference track that was read last. */
  fragment: ReferenceFragment | undefined;
  /** Points at which a cut may begin. */
  readonly points = new Points();
  /** Absolute offsets of all `moof`. */
  readonly moofs: number[] = [];
  /** `sidx` boxes that stand before the first `moof`. */
  readonly indexes: Box[] = [];
  /** Presentation second at which each track begins, by id. */
  readonly beginnings = new Map<number, number>();
  /** Bytes of the largest `moof`. */
  largest = 0;
  /** Whether a fragment tells by absolute offsets where its samples are. */
  absolute = false;
  /** Whether all fragments say their decoding time (`tfdt`). */
  timed = true;
  /** Whether the data of a fragment are not in the `mdat` right behind its `moof`. */
  loose = false;
  /** Just past the last whole fragment, absolute. */
  end: number;
  /** Presentation time at which the reference track ends, ticks. */
  endTime = 0;
  /** Absolute offset of the next box. */
  #at: number;
  /** Where the boxes that belong to the next `moof` begin. */
  #lead: number | undefined;
  /** Just past the data of the fragments so far. */
  #dataEnd = 0;
  /** Fragments of other tracks since the last one of the reference track: where they begin, and seconds. */
  #others: { position: number; time: number }[] = [];
  /** Decoding time at which each track goes on when a fragment does not say, ticks. */
  readonly #clocks = new Map<number, number>();

  /** @param at absolute offset of the first box */
  constructor(
    private readonly source: MeteredSource,
    private readonly movie: Pick<FragmentedMovie, 'tracks'>,
    readonly reference: FragmentTrack,
    at: number,
    private readonly options: WalkOptions = {},
  ) {
    this.#at = at;
    this.end = at;
  }

  /**
   * Goes on to the next fragment of the reference track, which is then `fragment`; `yield*` it. False when there is
   * none before `limit`.
   */
  *next(limit: number): Reading<boolean> {
    const before = this.fragment;
    while (this.fragment === before) {
      if (!(yield* this.#step(limit))) return false;
    }
    return true;
  }

  /** Passes one box, or a `moof` with its media. False at `limit`, or where no whole one follows. */
  *#step(limit: number): Reading<boolean> {
    const box = yield* this.#box(this.#at, limit);
    if (!box || box.type === 'mfra') return false;
    this.#at = box.end;
    if (box.type === 'moof') return yield* this.#fragment(box, limit);
    // What stands before the first fragment is an index of the whole file, or of what may be cut away.
    const isIndex = box.type === 'sidx' && this.moofs.length === 0;
    if (isIndex) {
      this.source.keep(BOX_BYTES);
      this.indexes.push(box);
    }
    this.#lead = LEADING.has(box.type) && !isIndex ? (this.#lead ?? box.offset) : undefined;
    if (box.offset < this.#dataEnd) this.end = Math.max(this.end, box.end);
    return true;
  }

  *#fragment(box: Box, limit: number): Reading<boolean> {
    const size = box.end - box.offset;
    if (size > MOOF_MAX) throw broken(`box "moof" at byte ${box.offset} has ${size} bytes; ${MOOF_MAX} are the limit`);
    this.source.spend(2 * BOX_WORK + size * BYTE_WORK);
    const bytes = yield* read(this.source, box.offset, size);
    const trafs = parseMoof(bytes, box.offset, this.movie.tracks);
    this.source.spend(trafs.reduce((sum, { runs }) => sum + 1 + runs.length, 0) * BOX_WORK);
    const filled = trafs.filter(({ samples }) => samples > 0);
    const from = filled.reduce((least, { data }) => Math.min(least, data.from), filled[0]?.data.from ?? box.end);
    const to = filled.reduce((most, { data }) => Math.max(most, data.to), filled[0]?.data.to ?? box.end);
    if (from < 0) throw broken(`the data of the fragment at byte ${box.offset} are before the file`);
    if (to > limit) return false;
    const media = yield* this.#box(box.end, limit);
    const behind = media?.type === 'mdat' ? media.end : box.end;
    this.loose ||= to > from && (from < box.end || to > behind);
    this.#dataEnd = Math.max(this.#dataEnd, to);
    this.#at = behind;
    this.end = Math.max(this.end, behind);
    const start = this.#lead ?? box.offset;
    this.#lead = undefined;
    this.largest = Math.max(this.largest, size);
    this.source.keep(MOOF_BYTES);
    this.moofs.push(box.offset);
    const times = this.#take(trafs, start, box.offset);
    this.#note(bytes, trafs, times, { start, moof: box.offset, size, from, to });
    return true;
  }

  /** The box at `at`; undefined when no whole one stands there. */
  *#box(at: number, limit: number): Reading<Box | undefined> {
    try {
      return limit - at < 8 ? undefined : yield* readBox(this.source, at, limit);
    } catch (error) {
      if (error instanceof EdgeError && error.code === 'unplayable') return undefined;
      throw error;
    }
  }

  /** Moves the clocks of the tracks on. @returns decoding times of the track fragments */
  #take(trafs: readonly TrackFragment[], position: number, moof: number): number[] {
    let own: { fragment: TrackFragment; decodeTime: number } | undefined;
    const times = trafs.map(fragment => {
      const track = this.movie.tracks.find(({ id }) => id === fragment.trackId);
      if (!track) return 0;
      this.absolute ||= fragment.absolute;
      this.timed &&= fragment.decodeTime !== undefined;
      const decodeTime = fragment.decodeTime ?? this.#clock(track, fragment, moof);
      this.#clocks.set(track.id, decodeTime + fragment.duration);
      if (fragment.samples === 0) return decodeTime;
      const time = (decodeTime + fragment.compositionOffset - track.shift) / track.timescale;
      if (!this.beginnings.has(track.id)) this.beginnings.set(track.id, time);
      if (track === this.reference) own ??= { fragment, decodeTime };
      else this.#others.push({ position, time });
      return decodeTime;
    });
    if (own) this.#takeReference(own.fragment, own.decodeTime, position, moof);
    // A track that goes on and on without the reference track must not fill the memory.
    if (this.#others.length > OTHERS_MAX) this.#others.splice(0, OTHERS_MAX / 2);
    return times;
  }

  /**
   * Where a track stands whose fragment does not say: behind its samples so far, unless something else tells of a gap.
   */
  #clock(track: FragmentTrack, fragment: TrackFragment, moof: number): number {
    const clock = this.#clocks.get(track.id) ?? track.ticks;
    const presented = this.options.claims?.(track.id, moof);
    const claimed =
      fragment.absoluteTime ??
      (presented === undefined ? undefined : presented + track.shift - fragment.compositionOffset);
    if (claimed === undefined || Math.abs(claimed - clock) <= LATITUDE * track.timescale) return clock;
    return Math.max(0, claimed);
  }

  #takeReference(traf: TrackFragment, decodeTime: number, position: number, moof: number): void {
    const { sync, compositionOffset, duration } = traf;
    const time = Math.max(0, decodeTime + compositionOffset - this.reference.shift);
    const companion = this.#others.find(other => other.time >= time / this.reference.timescale - LEAD);
    this.#others = [];
    const begin = Math.min(position, companion?.position ?? position);
    const end = time + duration;
    if (!Number.isSafeInteger(end)) throw broken(`the times of the fragment at byte ${moof} are beyond all bounds`);
    this.fragment = { position: begin, moof, time, sync, end };
    this.endTime = Math.max(this.endTime, end);
    if (sync) this.points.add(begin, time);
  }

  #note(
    bytes: Uint8Array,
    trafs: readonly TrackFragment[],
    times: readonly number[],
    place: { start: number; moof: number; size: number; from: number; to: number },
  ): void {
    const { survey } = this.options;
    if (!survey) return;
    const movable = trafs.every(({ absolute, decodeTime }) => !absolute && decodeTime !== undefined);
    let length = 0;
    if (!movable || this.loose) {
      const boxes = trafs.reduce((sum, { runs }) => sum + 2 + runs.length, 2);
      this.source.spend(boxes * BOX_WORK + place.size * BYTE_WORK);
      const { tracks } = this.movie;
      length = rewriteMoof(
        bytes,
        place.moof,
        tracks,
        () => ({ time: 0 }),
        () => 0,
      ).bytes.length;
    }
    const tracks = trafs.flatMap((fragment, i) => {
      const track = this.movie.tracks.findIndex(({ id }) => id === fragment.trackId);
      if (track < 0) return [];
      return [{ track, begin: times[i]!, end: times[i]! + fragment.duration, sync: fragment.sync }];
    });
    survey.add({ ...place, movable, length, tracks });
  }
}
