import type { MeteredSource } from '../io/metered-source.js';
import { broken } from '../mp4/box/broken.js';
import type { Points } from '../seek/points.js';
import { type FragmentTable, makeTable, TIME_MAX } from './table.js';

/** Seconds by which tracks may begin before or after the frame at which a cut begins. */
export const LEAD = 0.25;
/** Bytes of memory that a fragment and a track fragment take. */
const FRAGMENT_BYTES = 128;
const TRACK_BYTES = 64;

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
  readonly tracks: readonly FoundTrack[];
}

/** What a fragment holds of a track, ticks of decoding time. */
export interface FoundTrack {
  /** Place of the track in the movie. */
  readonly track: number;
  readonly begin: number;
  readonly end: number;
  readonly sync: boolean;
}

/** Ticks per second, and ticks by which presentation lies before media time. */
interface Timing {
  readonly timescale: number;
  readonly shift: number;
}

interface Rows {
  readonly fragments: number[];
  readonly begins: number[];
  readonly ends: number[];
  readonly sync: number[];
}

/** Gathers all fragments of a film. */
export class FragmentSurvey {
  readonly #fragments: FoundFragment[] = [];
  readonly #rows: Rows[];

  /** @param tracks number of tracks of the movie */
  constructor(
    private readonly source: MeteredSource,
    tracks: number,
  ) {
    this.#rows = Array.from({ length: tracks }, () => ({ fragments: [], begins: [], ends: [], sync: [] }));
  }

  add(found: FoundFragment): void {
    this.source.keep(FRAGMENT_BYTES + found.tracks.length * TRACK_BYTES);
    for (const { track, begin, end, sync } of found.tracks) {
      if (end > TIME_MAX) throw broken(`the times of the fragment at byte ${found.moof} are beyond all bounds`);
      const { fragments, begins, ends, sync: syncs } = this.#rows[track]!;
      fragments.push(this.#fragments.length);
      begins.push(begin);
      ends.push(end);
      syncs.push(sync ? 1 : 0);
    }
    this.#fragments.push({ ...found, tracks: [] });
  }

  /** Whether all data stand behind their `moof`, before the next fragment. @param end where the last one ends */
  isInPlace(end: number): boolean {
    return this.#fragments.every((_, i) => this.#isHome(i, end));
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
      while (this.#fragments[fragment]!.start < position) fragment++;
      while (row < rows.fragments.length && rows.fragments[row]! < fragment) ended = Math.max(ended, rows.ends[row++]!);
      const time = (points.times[i]! / tracks[reference]!.timescale) * timescale + shift;
      const begin = rows.begins[row] ?? Number.POSITIVE_INFINITY;
      if (i > 0 && (ended > time + lead || begin < time - lead)) return false;
    }
    return true;
  }

  /** @param end where the last fragment ends */
  table(end: number): FragmentTable {
    const fragments = this.#fragments;
    const column = (value: (fragment: FoundFragment, i: number) => number) => Float64Array.from(fragments, value);
    const apart = !this.isInPlace(end);
    return makeTable({
      starts: Float64Array.from([...fragments.map(({ start }) => start), end]),
      moofs: column(({ moof }) => moof),
      sizes: column(({ size }) => size),
      lengths: column(({ movable, length }, i) => (movable && this.#isHome(i, end) ? 0 : length)),
      data: apart
        ? {
            from: column(({ from }, i) => (this.#isHome(i, end) ? 0 : from)),
            to: column(({ to }, i) => (this.#isHome(i, end) ? 0 : to)),
          }
        : undefined,
      tracks: this.#rows.map(({ fragments: numbers, begins, ends, sync }) => ({
        fragments: Float64Array.from(numbers),
        begins: Float64Array.from(begins),
        ends: Float64Array.from(ends),
        sync: Float64Array.from(sync),
      })),
    });
  }

  #isHome(i: number, end: number): boolean {
    const { moof, size, from, to } = this.#fragments[i]!;
    return to === from || (from >= moof + size && to <= (this.#fragments[i + 1]?.start ?? end));
  }
}
