import { firstRow, type TableIndex } from './moved.js';
import type { TrafChange } from './rewrite.js';
import { LEAD } from './survey.js';
import type { TrackFragments } from './table.js';

/** Fragments `[first, last]`, kept whole. */
export interface WholeFragments {
  readonly kind: 'whole';
  readonly first: number;
  readonly last: number;
}

/** One fragment of which only some track fragments are kept, or some of their samples. */
export interface PartOfFragment {
  readonly kind: 'part';
  readonly fragment: number;
  /** What is kept of a track fragment, by the track's place in the movie and its place among those of the track. */
  keeps(track: number, place: number): TrafChange | undefined;
}

/** Seconds of sound at the beginning of a cut that are not worth a fragment. */
const LEAST = 0.02;
/** Fragments that are looked through for one that begins with a sync sample. */
const BACK_MAX = 64;

/** The track fragments of one track that a cut keeps. */
interface KeptRows {
  readonly rows: TrackFragments;
  /** `[first, end)`. */
  readonly first: number;
  readonly end: number;
  /** Decoding time before which samples of the first, and from which on samples of the last, are left out. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Where a cut begins or ends: a track fragment of the reference track. Ticks of that track. */
export interface CutPoint {
  readonly row: number;
  /** Presentation time. */
  readonly time: number;
  /** Decoding time of a sample inside the track fragment with which the cut begins; undefined for the first one. */
  readonly decodeTime?: number | undefined;
}

/**
 * Chooses the fragments of a cut, in the order of the file: of each track what is presented from the cut's beginning
 * on, wherever it stands.
 * @param start undefined for the beginning of the file
 * @param end undefined for its end
 */
export function chooseFragments(
  index: TableIndex,
  start: CutPoint | undefined,
  end: CutPoint | undefined,
): (WholeFragments | PartOfFragment)[] {
  const { table, tracks, reference } = index;
  const kept = table.tracks.map((rows, i): KeptRows => {
    const track = tracks[i]!;
    if (track === reference) {
      const rest = { end: end?.row ?? rows.begins.length, to: undefined };
      return { rows, first: start?.row ?? 0, from: start?.decodeTime, ...rest };
    }
    const ticks = (point: CutPoint | undefined) =>
      point && (point.time / reference.timescale) * track.timescale + track.shift;
    return keptOf(rows, ticks(start), ticks(end), track.timescale);
  });
  return gather(table.moofs.length, kept);
}

/**
 * Of a track that begins with its first sync sample at or before decoding time `start`; at the beginning of the file
 * without what stands before 0, which `tfdt` can't say.
 */
function keptOf(rows: TrackFragments, start: number | undefined, end: number | undefined, timescale: number): KeptRows {
  const { begins, ends, sync } = rows;
  let first = 0;
  if (start !== undefined) {
    while (first < ends.length && ends[first]! <= start + LEAST * timescale) first++;
    for (let back = 0; back < BACK_MAX && first > 0 && first < sync.length && sync[first] === 0; back++) first--;
  }
  let limit = first;
  while (limit < begins.length && (end === undefined || begins[limit]! < end)) limit++;
  const lead = LEAD * timescale;
  const early = first < limit && begins[first]! < (start === undefined ? 0 : start - lead);
  const late = end !== undefined && first < limit && ends[limit - 1]! > end + lead;
  return { rows, first, end: limit, from: early ? (start ?? 0) : undefined, to: late ? end : undefined };
}

/** @param count fragments of the file */
function gather(count: number, kept: readonly KeptRows[]): (WholeFragments | PartOfFragment)[] {
  const firstOf = ({ rows, first }: KeptRows) => rows.fragments[first]!;
  // The last fragment with something to leave out, or to shorten, at the beginning.
  const settledOf = ({ rows, first, end }: KeptRows) =>
    first < end ? rows.fragments[first]! : (rows.fragments[first - 1] ?? -1);
  const endOf = ({ rows, end, to }: KeptRows) =>
    to === undefined ? (rows.fragments[end] ?? count) : rows.fragments[end - 1]!;
  // From `settled` up to `closing`, everything is kept.
  const present = kept.filter(({ first, end }) => first < end);
  const settled = 1 + kept.reduce((most, rows) => Math.max(most, settledOf(rows)), -1);
  const closing = kept.reduce((least, rows) => Math.min(least, endOf(rows)), count);
  const from = present.reduce((least, rows) => Math.min(least, firstOf(rows)), count);
  const to = present.reduce((most, { rows, end }) => Math.max(most, rows.fragments[end - 1]! + 1), 0);
  const pieces: (WholeFragments | PartOfFragment)[] = [];
  const whole = (first: number, last: number) => {
    const before = pieces.at(-1);
    if (before?.kind === 'whole' && before.last === first - 1) pieces[pieces.length - 1] = { ...before, last };
    else pieces.push({ kind: 'whole', first, last });
  };
  for (let fragment = from; fragment < to; fragment++) {
    if (fragment >= settled && fragment < closing) {
      whole(fragment, closing - 1);
      fragment = closing - 1;
      continue;
    }
    const states = kept.map(rows => stateOf(rows, fragment));
    if (states.every(state => state === 'absent' || state === 'dropped')) continue;
    if (states.every(state => state === 'absent' || state === 'whole')) whole(fragment, fragment);
    else pieces.push({ kind: 'part', fragment, keeps: keeper(kept, fragment) });
  }
  return pieces;
}

function stateOf({ rows, first, end, from, to }: KeptRows, fragment: number): 'absent' | 'dropped' | 'whole' | 'part' {
  let [inside, outside] = [false, false];
  for (let row = firstRow(rows, fragment); rows.fragments[row] === fragment; row++) {
    if (row < first || row >= end) outside = true;
    else inside = true;
    if ((row === first && from !== undefined) || (row === end - 1 && to !== undefined)) return 'part';
  }
  if (!inside) return outside ? 'dropped' : 'absent';
  return outside ? 'part' : 'whole';
}

function keeper(kept: readonly KeptRows[], fragment: number): PartOfFragment['keeps'] {
  return (track, place) => {
    const { rows, first, end, from, to } = kept[track]!;
    const row = firstRow(rows, fragment) + place;
    if (row < first || row >= end) return undefined;
    const window = {
      from: (row === first ? from : undefined) ?? Number.NEGATIVE_INFINITY,
      to: (row === end - 1 ? to : undefined) ?? Number.POSITIVE_INFINITY,
    };
    const divided = Number.isFinite(window.from) || Number.isFinite(window.to);
    return { time: rows.begins[row]!, ...(divided && { window }) };
  };
}
