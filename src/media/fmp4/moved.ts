import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import { PATCH_OUTPUT_MAX, PATCH_SOURCE_MAX, type Patch } from '../../virtual-file/span.js';
import type { FragmentIndex } from './index.js';
import { rewriteMoof } from './rewrite.js';
import type { FragmentTable, TrackFragments } from './table.js';

/**
 * Bytes of the largest `moof`, before and after, that is written anew in a run of fragments: a window may need two of
 * them whole.
 */
export const RUN_MOOF_MAX = (PATCH_SOURCE_MAX - PATCH_OUTPUT_MAX) / 4;
/** Bytes of the largest one that is written anew alone. */
export const MOOF_MOVE_MAX = PATCH_SOURCE_MAX - 1024;

/** Index of an object with all its fragments. */
export type TableIndex = FragmentIndex & { readonly table: FragmentTable };

/**
 * A `moof` of the table, written anew with all its samples.
 * @param distance bytes by which the data stand further behind the new `moof` than behind the old one
 * @throws EdgeError `unplayable` when it is not what the index says
 */
function moveMoof({ table, tracks }: TableIndex, fragment: number, moof: Uint8Array, distance: number): Uint8Array {
  const at = table.moofs[fragment]!;
  const taken = new Map<number, number>();
  const { bytes } = rewriteMoof(
    moof,
    at,
    tracks,
    ({ trackId }) => {
      const track = tracks.findIndex(({ id }) => id === trackId);
      if (track < 0) return { time: 0 };
      const before = taken.get(track) ?? 0;
      taken.set(track, before + 1);
      const row = firstRow(table.tracks[track]!, fragment) + before;
      return { time: table.tracks[track]!.begins[row] ?? 0 };
    },
    position => position - at + distance,
  );
  if (bytes.length !== table.lengths[fragment]) {
    throw new EdgeError('unplayable', `the movie fragment at byte ${at} is not what the index of the file says`);
  }
  return bytes;
}

/** The first track fragment of a track in a fragment, or the first one after that. */
export function firstRow({ fragments }: TrackFragments, fragment: number): number {
  return lastAtMost(fragments, fragment - 1) + 1;
}

/**
 * Fragments `[first, last]` of the table, whose data stand behind them, with every `moof` that can't be moved as it is
 * written anew.
 */
export class MovedRun implements Patch {
  readonly #base: number;

  constructor(
    private readonly index: TableIndex,
    first: number,
  ) {
    this.#base = index.table.outputs[first]!;
  }

  sourceFrom(from: number): number {
    return this.#source(from, false);
  }

  sourceTo(to: number): number {
    return this.#source(to - 1, true);
  }

  /** The byte of the source that is needed first, or the one past the last that is needed, for a byte of the output. */
  #source(output: number, past: boolean): number {
    const { moofs, sizes } = this.index.table;
    const { fragment, lead, length, local } = this.#place(this.#base + output);
    const moof = moofs[fragment]!;
    if (local < lead) return moof - lead + local + (past ? 1 : 0);
    const behind = local - lead - length;
    if (behind < 0) return past ? moof + sizes[fragment]! : moof;
    return moof + sizes[fragment]! + behind + (past ? 1 : 0);
  }

  #place(output: number): { fragment: number; lead: number; length: number; local: number } {
    const { outputs, starts, moofs, sizes, lengths } = this.index.table;
    const fragment = Math.min(lastAtMost(outputs, output), moofs.length - 1);
    const lead = moofs[fragment]! - starts[fragment]!;
    return { fragment, lead, length: lengths[fragment]! || sizes[fragment]!, local: output - outputs[fragment]! };
  }

  apply(source: Uint8Array, from: number, to: number, target: Uint8Array): void {
    const { moofs, sizes, lengths, outputs } = this.index.table;
    const origin = this.sourceFrom(from);
    const write = (bytes: Uint8Array, at: number) => {
      const [first, last] = [Math.max(from, at), Math.min(to, at + bytes.length)];
      if (first < last) target.set(bytes.subarray(first - at, last - at), first - from);
    };
    for (let output = from; output < to; ) {
      const { fragment, lead, length, local } = this.#place(this.#base + output);
      const start = outputs[fragment]! - this.#base;
      const moof = moofs[fragment]! - origin;
      const size = sizes[fragment]!;
      if (local < lead) {
        const count = Math.min(lead - local, to - output);
        write(source.subarray(moof - lead + local, moof - lead + local + count), output);
        output += count;
      } else if (local < lead + length) {
        const bytes = source.subarray(moof, moof + size);
        write(lengths[fragment]! > 0 ? moveMoof(this.index, fragment, bytes, length - size) : bytes, start + lead);
        output = start + lead + length;
      } else {
        const count = Math.min(outputs[fragment + 1]! - this.#base, to) - output;
        const at = moof + size + local - lead - length;
        write(source.subarray(at, at + count), output);
        output += count;
      }
    }
  }
}

/** One `moof` written anew, whose data are placed apart. */
export class MovedMoof implements Patch {
  constructor(
    private readonly index: TableIndex,
    private readonly fragment: number,
    private readonly distance: number,
  ) {}

  sourceFrom(): number {
    return this.index.table.moofs[this.fragment]!;
  }

  sourceTo(): number {
    return this.sourceFrom() + this.index.table.sizes[this.fragment]!;
  }

  apply(source: Uint8Array, from: number, to: number, target: Uint8Array): void {
    target.set(moveMoof(this.index, this.fragment, source, this.distance).subarray(from, to));
  }
}
