import { EdgeError } from '../../base/errors.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { type Box, readBox } from '../mp4/box/box.js';
import { broken } from '../mp4/table/table.js';
import { Points } from '../seek/points.js';
import { readMoof, type TrackFragment } from './moof.js';
import type { FragmentedMovie, FragmentTrack } from './movie.js';

/**
 * Boxes that stand before a `moof` and belong to it (ISO/IEC 14496-12 sections 8.16.2 to 8.16.5, ISO/IEC 23009-1
 * section 5.10.3).
 */
const LEADING = new Set(['styp', 'sidx', 'ssix', 'prft', 'emsg']);
/** Seconds by which a fragment of another track may begin before the frame at which a cut begins. */
export const LEAD = 0.25;
/** Bytes of memory that a `sidx` and a `moof` take while the walk lasts. */
const BOX_BYTES = 128;
const MOOF_BYTES = 64;

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
  /** Whether it says its decoding time (`tfdt`); otherwise its time is summed up from durations. */
  readonly timed: boolean;
  /** Ticks at which its presentation ends, about. */
  readonly end: number;
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
  /** Bytes of the largest `moof`. */
  largest = 0;
  /** Whether a fragment tells by absolute offsets where its samples are. */
  absolute = false;
  /** Just past the last whole fragment, absolute. */
  end: number;
  /** Presentation time at which the reference track ends, ticks. */
  endTime = 0;
  /** Absolute offset of the next box. */
  #at: number;
  /** Where the boxes that belong to the next `moof` begin. */
  #lead: number | undefined;
  /** Fragments of other tracks since the last one of the reference track: where they begin, and seconds. */
  #others: { position: number; time: number }[] = [];
  /** Decoding time at which each track goes on when a fragment does not say, ticks. */
  readonly #clocks = new Map<number, number>();

  /** @param at absolute offset of the first box */
  constructor(
    private readonly source: MeteredSource,
    private readonly movie: FragmentedMovie,
    readonly reference: FragmentTrack,
    at: number,
  ) {
    this.#at = at;
    this.end = at;
  }

  /** Absolute offset of the next box. */
  get at(): number {
    return this.#at;
  }

  /** Says at which decoding time, in ticks, the reference track stands here, for fragments without `tfdt`. */
  setClock(ticks: number): void {
    this.#clocks.set(this.reference.id, ticks);
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
    if (box.type !== 'moof') {
      // What stands before the first fragment is an index of the whole file, or of what may be cut away.
      const isIndex = box.type === 'sidx' && this.moofs.length === 0;
      if (isIndex) {
        this.source.keep(BOX_BYTES);
        this.indexes.push(box);
      }
      this.#lead = LEADING.has(box.type) && !isIndex ? (this.#lead ?? box.offset) : undefined;
      return true;
    }
    const media = yield* this.#box(box.end, limit);
    if (!media && box.end < limit) return false;
    const position = this.#lead ?? box.offset;
    this.#lead = undefined;
    this.largest = Math.max(this.largest, box.end - box.offset);
    this.source.keep(MOOF_BYTES);
    this.moofs.push(box.offset);
    this.#take(yield* readMoof(this.source, box, this.movie), position, box.offset);
    if (media?.type === 'mdat') this.#at = media.end;
    this.end = this.#at;
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

  #take(trafs: readonly TrackFragment[], position: number, moof: number): void {
    let own: { fragment: TrackFragment; decodeTime: number } | undefined;
    for (const fragment of trafs) {
      const track = this.movie.tracks.find(({ id }) => id === fragment.trackId);
      if (!track) continue;
      this.absolute ||= fragment.absolute;
      const decodeTime = fragment.decodeTime ?? this.#clocks.get(track.id) ?? 0;
      this.#clocks.set(track.id, decodeTime + fragment.duration);
      if (track === this.reference) own ??= { fragment, decodeTime };
      else
        this.#others.push({
          position,
          time: (decodeTime + fragment.compositionOffset - track.shift) / track.timescale,
        });
    }
    if (own) this.#takeReference(own.fragment, own.decodeTime, position, moof);
    // A track that goes on and on without the reference track must not fill the memory.
    if (this.#others.length > 1024) this.#others.splice(0, 512);
  }

  #takeReference(traf: TrackFragment, decodeTime: number, position: number, moof: number): void {
    const { sync, compositionOffset, duration } = traf;
    const timed = traf.decodeTime !== undefined;
    const time = Math.max(0, decodeTime + compositionOffset - this.reference.shift);
    const companion = this.#others.find(other => other.time >= time / this.reference.timescale - LEAD);
    this.#others = [];
    const begin = Math.min(position, companion?.position ?? position);
    const end = time + duration;
    if (!Number.isSafeInteger(end)) throw broken(`the times of the fragment at byte ${moof} are beyond all bounds`);
    this.fragment = { position: begin, moof, time, sync, timed, end };
    this.endTime = Math.max(this.endTime, end);
    if (sync) this.points.add(begin, time);
  }
}
