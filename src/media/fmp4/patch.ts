import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import { PATCH_OUTPUT_MAX, PATCH_SOURCE_MAX, type Patch } from '../../virtual-file/span.js';
import { fourcc, u32 } from '../mp4/box/box.js';

/**
 * Bytes of the largest `moof` whose absolute offsets can be patched: all of it up to a window must fit into what a
 * patch may read.
 */
export const MOOF_PATCH_MAX = PATCH_SOURCE_MAX - PATCH_OUTPUT_MAX - 1024;

/** Bytes past a window that may be needed to understand a `tfhd` that reaches into it. */
const BEYOND = 64;
const BASE_DATA_OFFSET = 1;

/**
 * Fragments with `delta` taken from the `base_data_offset` of each `tfhd` (ISO/IEC 14496-12 section 8.8.7).
 *
 * @param moofs absolute offsets of all `moof`, rising
 * @param start absolute offset of the first byte of the span
 * @param end just past the last one
 */
export function baseDataOffsetsLess(moofs: Float64Array, start: number, end: number, delta: number): Patch {
  const origin = (from: number) => {
    const moof = moofs[lastAtMost(moofs, start + from)];
    return moof !== undefined && moof >= start && moof >= start + from - MOOF_PATCH_MAX ? moof : start + from;
  };
  return {
    sourceFrom: origin,
    sourceTo: to => Math.min(end, start + to + BEYOND),
    apply(source, from, to, target) {
      const base = origin(from);
      const bytes = new Uint8Array(source);
      for (let i = Math.max(0, lastAtMost(moofs, base)); i < moofs.length && moofs[i]! < start + to; i++) {
        if (moofs[i]! >= base) patchMoof(bytes, moofs[i]! - base, delta);
      }
      target.set(bytes.subarray(start + from - base, start + to - base));
    },
  };
}

/** Patches as much of the `moof` at `at` as `bytes` holds; a box that goes on beyond them is read as far as they go. */
function patchMoof(bytes: Uint8Array, at: number, delta: number): void {
  if (at + 8 > bytes.length || fourcc(bytes, at + 4) !== 'moof') return;
  const size = u32(bytes, at);
  if (size > MOOF_PATCH_MAX) {
    throw new EdgeError(
      'unplayable',
      `a movie fragment of ${size} bytes has absolute offsets; ${MOOF_PATCH_MAX} are the limit`,
    );
  }
  for (const traf of boxesIn(bytes, at + 8, at + size)) {
    if (traf.type !== 'traf') continue;
    for (const { type, offset, end } of boxesIn(bytes, traf.offset + 8, traf.end)) {
      const field = offset + 16;
      if (type !== 'tfhd' || field + 8 > Math.min(end, bytes.length)) continue;
      if ((bytes[offset + 11]! & BASE_DATA_OFFSET) === 0) continue;
      const view = new DataView(bytes.buffer, bytes.byteOffset + field, 8);
      view.setBigUint64(0, BigInt.asUintN(64, view.getBigUint64(0) - BigInt(delta)));
    }
  }
}

/** The boxes in `[from, to)` whose headers are at hand, up to the first that can't be one. */
function* boxesIn(
  bytes: Uint8Array,
  from: number,
  to: number,
): Generator<{ type: string; offset: number; end: number }> {
  for (let offset = from; offset + 8 <= Math.min(to, bytes.length); ) {
    const end = offset + u32(bytes, offset);
    if (end < offset + 8 || end > to) return;
    yield { type: fourcc(bytes, offset + 4), offset, end };
    offset = end;
  }
}
