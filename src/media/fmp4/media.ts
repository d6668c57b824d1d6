import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import { literal, type Span, source } from '../../virtual-file/span.js';
import { type Reading, read } from '../io/reading.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import type { Region } from '../mp4/box/regions.js';
import { type CutPoint, chooseFragments, type PartOfFragment } from './choice.js';
import { firstRow, MOOF_MOVE_MAX, MovedMoof, MovedRun, RUN_MOOF_MAX, type TableIndex } from './moved.js';
import { rewriteMoof, syncSamplesOf } from './rewrite.js';
import { Subsegments } from './sidx.js';
import type { TrackFragments } from './table.js';

/** Most spans of a cut whose fragments are placed one by one. */
const SPANS_MAX = 16 * 1024;
/** Track fragments that are looked through for a sync sample. */
const BACK_MAX = 64;
/** Bytes of the header of a `mdat` that is made. */
const HEADER = 8;

/** The fragments of a cut. Times are ticks of the reference track. */
export interface FragmentMedia {
  /** Presentation times at which it begins and, unless it goes on to the end of the film, ends. */
  readonly start: number;
  readonly end: number | undefined;
  /** Of the reference track; sizes add up to all bytes. */
  readonly subsegments: Subsegments;
  /** All that the bytes depend on. */
  readonly key: readonly number[];
  /** @param at where they stand in the answer */
  spans(at: number): Span[];
}

/** Spans of fragments that are placed one after the other. */
class Placement {
  readonly spans: Span[] = [];
  /** Where pieces of the answer begin, and the bytes before them of an answer of all fragments; both rise. */
  readonly #fragments: number[] = [];
  readonly #places: number[] = [];
  /** Bytes. */
  length = 0;

  constructor(private readonly index: TableIndex) {}

  /** Bytes before a fragment that was placed. */
  placeOf(fragment: number): number {
    const { outputs } = this.index.table;
    const piece = lastAtMost(this.#fragments, fragment);
    return this.#places[piece]! + outputs[fragment]! - outputs[this.#fragments[piece]!]!;
  }

  whole(first: number, last: number): void {
    const { lengths, data } = this.index.table;
    for (let fragment = first; fragment <= last; ) {
      // A run of fragments that are alike.
      const kind = this.#kindOf(fragment);
      let end = fragment + 1;
      while (end <= last && kind !== 'alone' && this.#kindOf(end) === kind) end++;
      if (kind !== 'alone') this.#run(fragment, end, kind);
      else if (data && data.to[fragment]! > 0)
        this.#apart(fragment, { from: data.from[fragment]!, to: data.to[fragment]! });
      else this.#alone(fragment, lengths[fragment]!);
      fragment = end;
    }
  }

  /** A fragment of which some is left out, with a `mdat` of what is kept. */
  *part(bytes: ByteSource, { fragment, keeps }: PartOfFragment): Reading<void> {
    const { table, tracks } = this.index;
    const at = table.moofs[fragment]!;
    const moof = yield* read(bytes, at, table.sizes[fragment]!);
    const write = (place: (position: number) => number) => {
      const places = new Map<number, number>();
      return rewriteMoof(
        moof,
        at,
        tracks,
        ({ trackId }) => {
          const track = tracks.findIndex(({ id }) => id === trackId);
          if (track < 0) return undefined;
          const place = places.get(track) ?? 0;
          places.set(track, place + 1);
          return keeps(track, place);
        },
        place,
      );
    };
    const { bytes: draft, data } = write(() => 0);
    const written = write(position => {
      let before = draft.length + HEADER;
      for (const { from, to } of data) {
        if (position >= from && position <= to) return before + position - from;
        before += to - from;
      }
      return before;
    });
    this.#place(fragment);
    this.#put(literal(written.bytes));
    this.#media(data);
  }

  #kindOf(fragment: number): 'plain' | 'moved' | 'alone' {
    const { lengths, sizes, data } = this.index.table;
    if (data && data.to[fragment]! > 0) return 'alone';
    if (lengths[fragment] === 0) return 'plain';
    return Math.max(lengths[fragment]!, sizes[fragment]!) > RUN_MOOF_MAX ? 'alone' : 'moved';
  }

  /** Fragments `[first, end)`. */
  #run(first: number, end: number, kind: 'plain' | 'moved'): void {
    const { starts, outputs } = this.index.table;
    this.#place(first);
    const length = outputs[end]! - outputs[first]!;
    if (kind === 'plain') this.#put(source(starts[first]!, length));
    else this.#put({ kind: 'patched', length, patch: new MovedRun(this.index, first) });
  }

  /** A fragment with a large `moof`, and what stands around it. */
  #alone(fragment: number, length: number): void {
    const { starts, moofs, sizes } = this.index.table;
    const [moof, size] = [moofs[fragment]!, sizes[fragment]!];
    this.#place(fragment);
    this.#put(source(starts[fragment]!, moof - starts[fragment]!));
    this.#moof(fragment, length - size);
    this.#put(source(moof + size, starts[fragment + 1]! - moof - size));
  }

  /** A fragment whose data are elsewhere: they come behind it in a `mdat` of their own. */
  #apart(fragment: number, data: Region): void {
    const { moofs, lengths } = this.index.table;
    this.#place(fragment);
    const distance = lengths[fragment]! + HEADER - (data.from - moofs[fragment]!);
    this.#moof(fragment, distance);
    this.#media([data]);
  }

  #moof(fragment: number, distance: number): void {
    const { lengths, sizes } = this.index.table;
    if (Math.max(lengths[fragment]!, sizes[fragment]!) > MOOF_MOVE_MAX) {
      throw tooLarge(`a "moof" of ${sizes[fragment]} bytes must be written anew; ${MOOF_MOVE_MAX} are the limit`);
    }
    const patch = new MovedMoof(this.index, fragment, distance);
    this.#put({ kind: 'patched', length: lengths[fragment]!, patch });
  }

  #media(data: readonly Region[]): void {
    const size = HEADER + data.reduce((sum, { from, to }) => sum + to - from, 0);
    if (size > 0xffff_ffff) throw tooLarge(`a fragment has ${size} bytes that must be placed anew`);
    const writer = new BoxWriter(HEADER);
    writer.u32(size);
    writer.fourcc('mdat');
    this.#put(literal(writer.take()));
    for (const { from, to } of data) this.#put(source(from, to - from));
  }

  #place(fragment: number): void {
    this.#fragments.push(fragment);
    this.#places.push(this.length);
  }

  #put(span: Span): void {
    if (span.length === 0) return;
    if (this.spans.length === SPANS_MAX) throw tooLarge('its fragments are in too many places');
    this.spans.push(span);
    this.length += span.length;
  }
}

/**
 * The fragments of a cut, chosen one by one; `yield*` it. It begins with the last sync sample of the reference track at
 * or before `from`, in whatever fragment that is, and ends before the first of its fragments at or after `to`.
 */
export function* mediaOfTable(index: TableIndex, bytes: ByteSource, from: number, to: number): Reading<FragmentMedia> {
  const { table, tracks, reference } = index;
  const rows = table.tracks[tracks.indexOf(reference)]!;
  const start = yield* startOf(index, rows, bytes, from);
  let last = start.row + 1;
  while (last < rows.begins.length && rows.begins[last]! - reference.shift < to) last++;
  const end = last < rows.begins.length ? { row: last, time: rows.begins[last]! - reference.shift } : undefined;
  const placement = new Placement(index);
  for (const piece of chooseFragments(index, start.isFirst ? undefined : start, end)) {
    if (piece.kind === 'whole') placement.whole(piece.first, piece.last);
    else yield* placement.part(bytes, piece);
  }
  // What stands before a fragment of the reference track belongs to the one before it.
  const subsegments = new Subsegments(last - start.row);
  for (let row = start.row; row < last; row++) {
    const isFirst = row === start.row;
    const offset = isFirst ? 0 : placement.placeOf(rows.fragments[row]!);
    const limit = row + 1 === last ? placement.length : placement.placeOf(rows.fragments[row + 1]!);
    const time = isFirst ? start.time : Math.max(0, rows.begins[row]! - reference.shift);
    const duration = Math.max(0, rows.ends[row]! - reference.shift - time);
    subsegments.push(offset, limit - offset, time, duration, isFirst || rows.sync[row] === 1);
  }
  return {
    ...{ start: start.time, end: end?.time, subsegments, spans: () => placement.spans },
    key: [start.row, start.decodeTime ?? 0, last, placement.length],
  };
}

/** Where a cut begins, and whether that is where the film does. */
interface Start extends CutPoint {
  readonly isFirst: boolean;
}

/** The last sync sample that is presented at or before `wanted`. */
function* startOf(index: TableIndex, rows: TrackFragments, bytes: ByteSource, wanted: number): Reading<Start> {
  const { table, tracks, reference, positions, times } = index;
  let row = rows.begins.length - 1;
  while (row > 0 && rows.begins[row]! - reference.shift > wanted) row--;
  for (let tries = 0; row >= 0 && tries < BACK_MAX; row--, tries++) {
    const fragment = rows.fragments[row]!;
    const moof = yield* read(bytes, table.moofs[fragment]!, table.sizes[fragment]!);
    const place = row - firstRow(rows, fragment);
    const sync = syncSamplesOf(moof, table.moofs[fragment]!, tracks, reference, place, rows.begins[row]!);
    const sample = sync.findLast(({ time }) => time <= wanted);
    if (sample) return { row, ...sample, isFirst: row === 0 && sample.decodeTime === undefined };
  }
  const point = Math.max(0, lastAtMost(times, wanted));
  const known = firstRow(rows, lastAtMost(table.starts, positions[point]!));
  return { row: known, time: times[point]!, decodeTime: undefined, isFirst: known === 0 };
}

function tooLarge(why: string): EdgeError {
  return new EdgeError('media_too_large', `can't seek in this file: ${why}`);
}
