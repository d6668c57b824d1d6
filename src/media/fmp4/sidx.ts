import { Column } from '../io/column.js';
import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, read, readAll } from '../io/reading.js';
import { type Box, boxBody, boxBodySize, readBox, u32, u64 } from '../mp4/box/box.js';
import { broken } from '../mp4/box/broken.js';
import { SAP_CLOSED, SidxWriter } from '../mp4/box/sidx-writer.js';

/** Parts of a file that a segment index points at, in their order (ISO/IEC 14496-12 section 8.16.3); a row each. */
export class Subsegments {
  /** Absolute offsets. */
  readonly offsets: Column;
  /** Bytes. */
  readonly sizes: Column;
  /** Earliest presentation times, ticks of the index. */
  readonly times: Column;
  /** Ticks of the index. */
  readonly durations: Column;
  /**
   * 1 where it is said that it begins with a stream access point of type 1 or 2, or of a type that is not told; else 0.
   */
  readonly saps: Column;

  /** @param rows how many there will be, where that is known */
  constructor(rows?: number) {
    const column = () => new Column(rows);
    this.offsets = column();
    this.sizes = column();
    this.times = column();
    this.durations = column();
    this.saps = column();
  }

  get length(): number {
    return this.offsets.length;
  }

  push(offset: number, size: number, time: number, duration: number, sap: boolean): void {
    this.offsets.push(offset);
    this.sizes.push(size);
    this.times.push(time);
    this.durations.push(duration);
    this.saps.push(sap ? 1 : 0);
  }
}

/** A segment index with all that it refers to. */
export interface SegmentIndex {
  readonly referenceId: number;
  /** Ticks per second, at least 1. */
  readonly timescale: number;
  readonly subsegments: Subsegments;
}

/** Bytes of memory that a subsegment takes while points are made of it, and nanoseconds. */
const SUBSEGMENT_BYTES = 96;
const SUBSEGMENT_WORK = 400;
/** References that are read before other work may have its turn. */
const BATCH = 4096;
/** Most subsegments that are used. */
const SUBSEGMENTS_MAX = 128 * 1024;
/** Most levels of a tree of `sidx`. */
const DEPTH_MAX = 8;
/** Bytes of the largest `sidx`: 65,535 references. */
const SIDX_MAX = 1024 * 1024;

/**
 * Reads a `sidx` and those that it refers to; `yield*` it.
 * @param box a box of type `sidx`
 * @throws EdgeError `unplayable` when a part of it is broken, and whatever the source throws
 */
export function* readSidx(source: MeteredSource, box: Box): Reading<SegmentIndex> {
  const subsegments = new Subsegments();
  const { referenceId, timescale } = yield* readLevel(source, box, 0, subsegments);
  return { referenceId, timescale, subsegments };
}

function* readLevel(
  source: MeteredSource,
  box: Box,
  depth: number,
  found: Subsegments,
): Reading<{ referenceId: number; timescale: number }> {
  if (box.type !== 'sidx' || boxBodySize(box) < 24 || boxBodySize(box) > SIDX_MAX)
    throw broken('a box "sidx" was expected where its segment index points');
  if (depth > DEPTH_MAX) throw broken('its segment indexes have no end');
  const bytes = yield* readAll(source, boxBody(box), boxBodySize(box));
  const wide = bytes[0] !== 0;
  if (wide && bytes.length < 32) throw broken('a box "sidx" is too short');
  const [referenceId, timescale] = [u32(bytes, 4), u32(bytes, 8)];
  let time = wide ? u64(bytes, 12) : u32(bytes, 12);
  let offset = box.end + (wide ? u64(bytes, 20) : u32(bytes, 16));
  let at = wide ? 32 : 24;
  const count = bytes[at - 2]! * 256 + bytes[at - 1]!;
  if (timescale === 0 || at + count * 12 > bytes.length) throw broken('a box "sidx" is broken');
  if (found.length + count > SUBSEGMENTS_MAX)
    throw broken(`its segment index has more than ${SUBSEGMENTS_MAX} references`);
  source.keep(count * SUBSEGMENT_BYTES);
  for (let i = 0; i < count; i++, at += 12) {
    if (i % BATCH === 0) {
      source.spend(Math.min(BATCH, count - i) * SUBSEGMENT_WORK);
      yield* source.breathe();
    }
    const [reference, duration, sapWord] = [u32(bytes, at), u32(bytes, at + 4), u32(bytes, at + 8)];
    const size = reference % 0x8000_0000;
    if (reference >= 0x8000_0000) {
      const inner = yield* readLevel(source, yield* readBox(source, offset, source.size), depth + 1, found);
      if (inner.timescale !== timescale) throw broken('its segment indexes have different timescales');
    } else {
      const sapType = Math.floor(sapWord / 0x1000_0000) % 8;
      found.push(offset, size, time, duration, sapWord >= 0x8000_0000 && sapType <= 2);
    }
    offset += size;
    time += duration;
  }
  return { referenceId, timescale };
}

/** The track that a `sidx` is about; `yield*` it. */
export function* referenceOf(source: MeteredSource, box: Box): Reading<number> {
  return boxBodySize(box) < 8 ? 0 : u32(yield* read(source, boxBody(box) + 4, 4), 0);
}

/** Most references of a `sidx` that is made; where there are more subsegments, each reference takes several. */
const REFERENCES_MAX = 1024;

/**
 * Makes a `sidx` of one level that stands right before the first subsegment.
 * @returns undefined when a number is too great for its field
 */
export function makeSidx(index: SegmentIndex): Uint8Array | undefined {
  const { referenceId, timescale, subsegments } = index;
  const { length, sizes, times, durations, saps } = subsegments;
  const together = Math.ceil(length / REFERENCES_MAX);
  const writer = new SidxWriter(referenceId, timescale, times.at(0), Math.ceil(length / together));
  for (let first = 0; first < length; first += together) {
    let [size, duration] = [0, 0];
    for (let row = first; row < Math.min(length, first + together); row++) {
      size += sizes.at(row);
      duration += durations.at(row);
    }
    if (!writer.reference(size, duration, saps.at(first) === 1 ? SAP_CLOSED : 0)) return undefined;
  }
  return writer.take();
}
