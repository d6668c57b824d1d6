import { Column } from '../io/column.js';
import { ForwardWindow } from '../io/forward-window.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { BOX_HEADER_MAX, type Box, u32 } from '../mp4/box/box.js';
import { code } from '../mp4/box/box-cursor.js';
import { broken } from '../mp4/box/broken.js';
import { Points } from '../seek/points.js';
import type { RandomAccessTimes } from './mfra.js';
import { MOOF_MAX, parseMoof, type TrackFragment } from './moof.js';
import type { FragmentedMovie, FragmentTrack } from './movie.js';
import { rewriteMoof } from './rewrite.js';
import { type FragmentSurvey, LEAD } from './survey.js';
import { TIME_MAX, TIME_MIN } from './table.js';

/**
 * Boxes that stand before a `moof` and belong to it (ISO/IEC 14496-12 sections 8.16.2 to 8.16.5, ISO/IEC 23009-1
 * section 5.10.3).
 */
const LEADING = new Set(['styp', 'sidx', 'ssix', 'prft', 'emsg'].map(code));
const [MOOF, MDAT, MFRA, SIDX] = [code('moof'), code('mdat'), code('mfra'), code('sidx')];

/** Seconds by which a time that `mfra` claims may differ from what the samples before come to, and not be believed. */
const LATITUDE = 0.05;
/** Bytes of memory that a `sidx` and a `moof` take while the walk lasts. */
const BOX_BYTES = 128;
const MOOF_BYTES = 8;
/** Nanoseconds that it costs to pass a box, and to take a `moof` apart: it, each track fragment and run, each byte. */
const PASS_WORK = 150;
const MOOF_WORK = 1500;
const PART_WORK = 700;
const BYTE_WORK = 2;
/** The same when a `moof` is written anew. */
const WRITE_WORK = 8000;
const WRITE_BYTE_WORK = 3;
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
  /**
   * Is shown each `moof`: the box, where it stands, what is in it, and the decoding times of its track fragments. The
   * bytes are not to be kept.
   */
  readonly visit?: (moof: Uint8Array, at: number, trafs: readonly TrackFragment[], times: readonly number[]) => void;
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
  readonly moofs = new Column();
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
  readonly #window: ForwardWindow;
  /** The box whose header was looked at last. */
  #type = 0;
  #headerSize = 8;
  #boxEnd = 0;
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
    this.#window = new ForwardWindow(source, options.survey !== undefined || options.visit !== undefined);
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

  /** Passes boxes up to a `moof`, and that with its media. False at `limit`, or where no whole one follows. */
  *#step(limit: number): Reading<boolean> {
    for (;;) {
      if (!this.#window.has(this.#at, Math.min(BOX_HEADER_MAX, limit - this.#at))) {
        if (!(yield* this.#bring(this.#at, limit))) return false;
      }
      if (!this.#header(this.#at, limit) || this.#type === MFRA) return false;
      const offset = this.#at;
      this.#at = this.#boxEnd;
      if (this.#type === MOOF) return yield* this.#fragment(offset, this.#boxEnd, limit);
      this.source.spend(PASS_WORK);
      // What stands before the first fragment is an index of the whole file, or of what may be cut away.
      const isIndex = this.#type === SIDX && this.moofs.length === 0;
      if (isIndex) {
        this.source.keep(BOX_BYTES);
        this.indexes.push({ type: 'sidx', offset, headerSize: this.#headerSize, end: this.#boxEnd });
      }
      this.#lead = LEADING.has(this.#type) && !isIndex ? (this.#lead ?? offset) : undefined;
      if (offset < this.#dataEnd) this.end = Math.max(this.end, this.#boxEnd);
    }
  }

  *#fragment(offset: number, boxEnd: number, limit: number): Reading<boolean> {
    const size = boxEnd - offset;
    if (size > MOOF_MAX) throw broken(`box "moof" at byte ${offset} has ${size} bytes; ${MOOF_MAX} are the limit`);
    if (this.source.due) yield* this.source.breathe();
    // The header of the box behind it is wanted next.
    const wanted = Math.min(size + BOX_HEADER_MAX, limit - offset);
    if (!this.#window.has(offset, wanted)) yield* this.#window.bring(offset, wanted);
    const at = offset - this.#window.start;
    const bytes = this.#window.bytes.subarray(at, at + size);
    this.source.spend(MOOF_WORK + size * BYTE_WORK);
    const trafs = parseMoof(bytes, offset, this.movie.tracks);
    let [parts, from, to] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { samples, runs, data } of trafs) {
      parts += 1 + runs.length;
      if (samples === 0) continue;
      from = Math.min(from, data.from);
      to = Math.max(to, data.to);
    }
    this.source.spend(parts * PART_WORK);
    if (to < from) [from, to] = [boxEnd, boxEnd];
    if (from < 0) throw broken(`the data of the fragment at byte ${offset} are before the file`);
    if (to > limit) return false;
    const isMedia = limit - boxEnd >= 8 && this.#header(boxEnd, limit) && this.#type === MDAT;
    const behind = isMedia ? this.#boxEnd : boxEnd;
    this.loose ||= to > from && (from < boxEnd || to > behind);
    this.#dataEnd = Math.max(this.#dataEnd, to);
    this.#at = behind;
    this.end = Math.max(this.end, behind);
    const start = this.#lead ?? offset;
    this.#lead = undefined;
    this.largest = Math.max(this.largest, size);
    this.source.keep(MOOF_BYTES);
    this.moofs.push(offset);
    const times = this.#take(trafs, start, offset);
    this.options.visit?.(bytes, offset, trafs, times);
    if (this.options.survey) {
      const movable = trafs.every(({ absolute, decodeTime }) => !absolute && decodeTime !== undefined);
      const length = movable && !this.loose ? 0 : this.#lengthAnew(bytes, offset, parts);
      this.options.survey.add({ start, moof: offset, size, length, movable, from, to });
      this.#surveyTracks(this.options.survey, trafs, times);
    }
    return true;
  }

  /** Brings the header of the box at `at`; false when there is no room for one. */
  *#bring(at: number, limit: number): Reading<boolean> {
    if (limit - at < 8) return false;
    yield* this.#window.bring(at, Math.min(BOX_HEADER_MAX, limit - at));
    return true;
  }

  /** Looks at the header of the box at `at`, which is at hand; false when no whole box stands there. */
  #header(at: number, limit: number): boolean {
    const { bytes, start } = this.#window;
    const left = limit - at;
    if (left < 8) return false;
    const head = at - start;
    let size = u32(bytes, head);
    this.#type = u32(bytes, head + 4);
    this.#headerSize = size === 1 ? 16 : 8;
    if (size === 1) {
      if (left < 16) return false;
      size = u32(bytes, head + 8) * 0x1_0000_0000 + u32(bytes, head + 12);
    } else if (size === 0) {
      size = left;
    }
    this.#boxEnd = at + size;
    return size >= this.#headerSize && size <= left;
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
   * Where a track stands whose fragment has no `tfdt`: where its `tfxd` says, which may be before 0; else behind its
   * samples so far, unless `mfra` tells of a gap.
   */
  #clock(track: FragmentTrack, { absoluteTime, compositionOffset }: TrackFragment, moof: number): number {
    const known = this.#clocks.get(track.id);
    const clock = known ?? track.ticks;
    if (absoluteTime !== undefined && absoluteTime >= TIME_MIN && absoluteTime <= TIME_MAX) {
      // Some writers mean when the first sample is presented.
      const decoded = absoluteTime - compositionOffset;
      const isPresented = known !== undefined && Math.abs(decoded - known) < Math.abs(absoluteTime - known);
      return isPresented ? Math.max(TIME_MIN, decoded) : absoluteTime;
    }
    const presented = this.options.claims?.(track.id, moof);
    if (presented === undefined) return clock;
    const claimed = presented + track.shift - compositionOffset;
    return Math.abs(claimed - clock) <= LATITUDE * track.timescale ? clock : Math.max(0, claimed);
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

  /** Bytes of a `moof` that is written anew. @param parts track fragments and runs in it */
  #lengthAnew(moof: Uint8Array, at: number, parts: number): number {
    this.source.spend((2 + parts) * WRITE_WORK + moof.length * WRITE_BYTE_WORK);
    const { tracks } = this.movie;
    const written = rewriteMoof(
      moof,
      at,
      tracks,
      () => ({ time: 0 }),
      () => 0,
    );
    return written.bytes.length;
  }

  #surveyTracks(survey: FragmentSurvey, trafs: readonly TrackFragment[], times: readonly number[]): void {
    for (let i = 0; i < trafs.length; i++) {
      const { trackId, duration, sync } = trafs[i]!;
      const track = this.movie.tracks.findIndex(({ id }) => id === trackId);
      if (track >= 0) survey.addTrack(track, times[i]!, times[i]! + duration, sync);
    }
  }
}
