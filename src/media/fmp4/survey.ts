import { Column } from '../io/column.js';
import type { MeteredSource } from '../io/metered-source.js';
import { broken } from '../mp4/box/broken.js';
import type { Region } from '../mp4/box/regions.js';
import type { Points } from '../seek/points.js';
import { type FragmentTable, makeTable, TIME_MAX } from './table.js';

/** Seconds by which tracks may begin before or after the frame at which a cut begins. */
export const LEAD = 0.25;
/** Bytes of memory that a fragment takes and a track fragment, while a walk lasts and in the table. */
const FRAGMENT_BYTES = 32;
const TRACK_BYTES = 32;
const TABLE_BYTES = 56;
const TABLE_TRACK_BYTES = 32;
/** Bytes that it takes to say where a fragment's data are. */
const APART_BYTES = 96;

/** A fragment as it stands in the file. */
export interface FoundFragment {
  /** Absolute offset of the first box that belongs to it. */
  readonly start: number;
  /** Absolute offset of its `moof`, and bytes of it. */
  readonly moof: number;
  readonly size: number;
  /** Bytes of the `moof` when it is written anew. */
  readonly length: number;
  /** Whether it may be moved together with data that stand behind it. */
  readonly movable: boolean;
  /** Where its data are. */
  readonly from: number;
  readonly to: number;
}

/** Ticks per second, and ticks by which presentation lies before media time. */
interface Timing {
  readonly timescale: number;
  readonly shift: number;
}

/** The track fragments of a track; the columns of `TrackFragments`. */
class Rows {
  readonly fragments = new Column();
  readonly begins = new Column();
  readonly ends = new Column();
  readonly sync = new Column();
}

/** Gathers all fragments of a film. */
export class FragmentSurvey {
  readonly #starts = new Column();
  /** Bytes before the `moof`, bytes of it, and bytes of it when it is written anew; 0 where it need not be. */
  readonly #leads = new Column();
  readonly #sizes = new Column();
  readonly #lengths = new Column();
  /** Where the data of those fragments are that do not have them behind their `moof`. */
  readonly #apart = new Map<number, Region>();
  readonly #rows: Rows[];
  /** The last one, of which it is not known yet where the next one begins. */
  #open: FoundFragment | undefined;

  /** @param tracks number of tracks of the movie */
  constructor(
    private readonly source: MeteredSource,
    tracks: number,
  ) {
    this.#rows = Array.from({ length: tracks }, () => new Rows());
  }

  /** Takes a fragment in; its tracks come next. */
  add(found: FoundFragment): void {
    const { start, moof, size } = found;
    this.source.keep(FRAGMENT_BYTES);
    this.#close(start);
    this.#open = found;
    this.#starts.push(start);
    this.#leads.push(moof - start);
    this.#sizes.push(size);
  }

  /**
   * Takes in what the fragment holds of a track.
   * @param track place of the track in the movie
   * @param begin ticks of decoding time, as is `end`
   */
  addTrack(track: number, begin: number, end: number, sync: boolean): void {
    this.source.keep(TRACK_BYTES);
    if (end > TIME_MAX) throw broken(`the times of the fragment at byte ${this.#open?.moof} are beyond all bounds`);
    const rows = this.#rows[track]!;
    rows.fragments.push(this.#starts.length - 1);
    rows.begins.push(begin);
    rows.ends.push(end);
    rows.sync.push(sync ? 1 : 0);
  }

  /** @param end where the last fragment ends */
  #close(end: number): void {
    if (!this.#open) return;
    const { moof, size, from, to, movable, length } = this.#open;
    const isHome = to === from || (from >= moof + size && to <= end);
    if (!isHome) {
      this.source.keep(APART_BYTES);
      this.#apart.set(this.#lengths.length, { from, to });
    }
    this.#lengths.push(movable && isHome ? 0 : length);
    this.#open = undefined;
  }

  /** Whether all data stand behind their `moof`, before the next fragment. @param end where the last one ends */
  isInPlace(end: number): boolean {
    this.#close(end);
    return this.#apart.size === 0;
  }

  /**
   * Whether at each of the points all tracks begin about together: a cut there is a part of the file.
   * @param tracks of the movie
   * @param reference place of the one that the points are of
   */
  isSideBySide(points: Points, tracks: readonly Timing[], reference: number): boolean {
    return this.#rows.every(
      (rows, track) => track === reference || this.#runsAlong(rows, points, tracks, track, reference),
    );
  }

  #runsAlong(rows: Rows, points: Points, tracks: readonly Timing[], track: number, reference: number): boolean {
    const { timescale, shift } = tracks[track]!;
    const lead = LEAD * timescale;
    let [fragment, row, ended] = [0, 0, Number.NEGATIVE_INFINITY];
    for (const [i, position] of points.positions.entries()) {
      while (this.#starts.at(fragment) < position) fragment++;
      for (; row < rows.fragments.length && rows.fragments.at(row) < fragment; row++)
        ended = Math.max(ended, rows.ends.at(row));
      const time = (points.times[i]! / tracks[reference]!.timescale) * timescale + shift;
      const begin = row < rows.begins.length ? rows.begins.at(row) : Number.POSITIVE_INFINITY;
      if (i > 0 && (ended > time + lead || begin < time - lead)) return false;
    }
    return true;
  }

  /** @param end where the last fragment ends */
  table(end: number): FragmentTable {
    this.#close(end);
    const count = this.#starts.length;
    const rows = this.#rows.reduce((sum, { begins }) => sum + begins.length, 0);
    this.source.keep(count * TABLE_BYTES + rows * TABLE_TRACK_BYTES);
    const starts = this.#starts.whole(1);
    starts[count] = end;
    const moofs = this.#leads.whole();
    for (let i = 0; i < count; i++) moofs[i]! += starts[i]!;
    return makeTable({
      ...{ starts, moofs, sizes: this.#sizes.whole(), lengths: this.#lengths.whole() },
      data: this.#apart.size > 0 ? this.#data(count) : undefined,
      tracks: this.#rows.map(({ fragments, begins, ends, sync }) => ({
        ...{ fragments: fragments.whole(), begins: begins.whole(), ends: ends.whole(), sync: sync.whole() },
      })),
    });
  }

  #data(count: number): FragmentTable['data'] {
    const [from, to] = [new Float64Array(count), new Float64Array(count)];
    for (const [i, region] of this.#apart) {
      from[i] = region.from;
      to[i] = region.to;
    }
    return { from, to };
  }
}
