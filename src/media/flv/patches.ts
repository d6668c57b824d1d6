import type { Patch } from '../../virtual-file/span.js';
import { NUMBER_BYTES } from './amf0.js';
import { type FlvIndex, NO_TAG, STEP } from './flv-index.js';
import { dataSizeOf, isTagType, TAG_HEADER, TAG_TRAILER, timestampOf, writeTimestamp } from './tag.js';

/**
 * The numbers of a strict array of AMF0, each less `delta` and not below 0.
 * @param at absolute offset of the marker of the first number
 */
export function numbersLess(at: number, delta: number): Patch {
  return {
    sourceFrom: from => at + Math.floor(from / NUMBER_BYTES) * NUMBER_BYTES,
    sourceTo: to => at + Math.ceil(to / NUMBER_BYTES) * NUMBER_BYTES,
    apply(source, from, to, target) {
      const skipped = from % NUMBER_BYTES;
      const numbers = new Uint8Array(source);
      const view = new DataView(numbers.buffer);
      for (let i = 1; i < numbers.length; i += NUMBER_BYTES)
        view.setFloat64(i, Math.max(0, view.getFloat64(i) - delta));
      target.set(numbers.subarray(skipped, skipped + to - from));
    },
  };
}

/**
 * Tags with `base` milliseconds taken from their timestamps, which stop at 0. The steps of the index tell where tags
 * begin near any window; from there the tags themselves lead on.
 *
 * @param start absolute offset of the first tag of the span
 * @param end just past the last byte of the span
 */
export function timestampsLess(index: FlvIndex, start: number, end: number, base: number): Patch {
  const steps = index.steps!;
  /**
   * A tag that begins at or before `at - 10`, or the first one after it: no tag whose header reaches `at` begins before
   * it but in it.
   */
  const firstTag = (at: number, limit: number): number => {
    const lowest = Math.max(start, at - TAG_HEADER + 1);
    for (let step = Math.floor(lowest / STEP); step < steps.length && step * STEP < limit; step++) {
      if (steps[step] !== NO_TAG) return Math.max(start, step * STEP + steps[step]!);
    }
    return limit;
  };
  return {
    sourceFrom: from => Math.min(start + from, firstTag(start + from, end)),
    sourceTo: to => Math.min(end, start + to + TAG_HEADER),
    apply(source, from, to, target) {
      const [first, limit] = [start + from, start + to];
      let tag = firstTag(first, end);
      const origin = Math.min(first, tag);
      target.set(source.subarray(first - origin, limit - origin));
      const stamp = new Uint8Array(4);
      while (tag < limit && tag - origin + TAG_HEADER <= source.length) {
        const header = tag - origin;
        if (!isTagType(source[header]!)) break;
        writeTimestamp(stamp, 0, Math.max(0, timestampOf(source, header) - base));
        for (let i = 0; i < 4; i++) {
          const at = tag + 4 + i;
          if (at >= first && at < limit) target[at - first] = stamp[i]!;
        }
        tag += TAG_HEADER + dataSizeOf(source, header) + TAG_TRAILER;
      }
    },
  };
}
