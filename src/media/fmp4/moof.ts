import { READ_MAX } from '../../base/byte-source.js';
import { type Box, boxBody, parseBox, parseBoxes, u32, u64 } from '../mp4/box/box.js';
import { broken } from '../mp4/box/broken.js';
import type { Region } from '../mp4/box/regions.js';
import type { FragmentTrack } from './movie.js';

/** A run of samples of a track fragment, `trun` (ISO/IEC 14496-12 section 8.8.8). */
export interface TrackRun {
  readonly box: Box;
  readonly flags: number;
  readonly samples: number;
  /** Flags of the first sample, when they are said apart. */
  readonly firstFlags: number | undefined;
  /** Where the first sample's fields stand in the `moof`, and bytes of each sample's fields. */
  readonly entries: number;
  readonly entrySize: number;
  /** Where the data of the first sample stand in the file, and bytes of all. */
  readonly position: number;
  readonly bytes: number;
}

/** What a movie fragment holds of one track (section 8.8.6), as it stands in the file. Times are ticks of the track. */
export interface TrackFragment {
  readonly box: Box;
  readonly boxes: readonly Box[];
  readonly trackId: number;
  /** Flags of `tfhd`. */
  readonly flags: number;
  readonly sampleDuration: number;
  readonly sampleSize: number;
  readonly sampleFlags: number;
  readonly runs: readonly TrackRun[];
  /** Samples of all runs. */
  readonly samples: number;
  /** `baseMediaDecodeTime`; undefined without `tfdt`. */
  readonly decodeTime: number | undefined;
  /** The time that Smooth Streaming puts into `tfxd` ([MS-SSTR] section 2.2.4.4); may be negative. */
  readonly absoluteTime: number | undefined;
  /** Composition offset of the first sample. */
  readonly compositionOffset: number;
  /** Whether the first sample is a sync sample. */
  readonly sync: boolean;
  /** Sum of the sample durations. */
  readonly duration: number;
  /** Whether `tfhd` tells where the samples are by an absolute offset of the file. */
  readonly absolute: boolean;
  /** Bytes of the file from the first byte of the samples to the last. */
  readonly data: Region;
}

export const BASE_DATA_OFFSET = 1;
export const DEFAULT_BASE_IS_MOOF = 0x20000;
const [DESCRIPTION_INDEX, DEFAULT_DURATION, DEFAULT_SIZE, DEFAULT_FLAGS] = [2, 8, 0x10, 0x20];
export const [DATA_OFFSET, FIRST_FLAGS] = [1, 4];
export const [SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_OFFSET] = [0x100, 0x200, 0x400, 0x800];
export const NON_SYNC = 0x10000;
/** Most track fragments in one movie fragment. */
const TRAFS_MAX = 256;
const TFXD = '6d1d9b0542d544e680e2141daff757b2';

/** Bytes of the largest `moof` that is read. */
export const MOOF_MAX = READ_MAX;

/**
 * @param moof the whole box
 * @param at where it stands in the file
 * @throws EdgeError `unplayable` when it is broken
 */
export function parseMoof(moof: Uint8Array, at: number, tracks: readonly FragmentTrack[]): TrackFragment[] {
  try {
    const body = boxBody(parseBox(moof, 0, 0, moof.length));
    const trafs = parseBoxes(moof, body, moof.length, TRAFS_MAX).filter(({ type }) => type === 'traf');
    const found: TrackFragment[] = [];
    // Where data begin of which nothing is said: at the `moof`, then behind those of the track before (section
    // 8.8.7.1).
    let follows = at;
    for (const traf of trafs) {
      const fragment = parseTraf(moof, traf, at, follows, tracks);
      if (!fragment) continue;
      found.push(fragment);
      follows = endOf(fragment.runs.at(-1)) ?? follows;
    }
    return found;
  } catch (error) {
    if (error instanceof RangeError) throw broken(`a movie fragment in it is broken (${error.message})`);
    throw error;
  }
}

function endOf(run: TrackRun | undefined): number | undefined {
  return run && run.position + run.bytes;
}

function parseTraf(
  bytes: Uint8Array,
  traf: Box,
  moof: number,
  follows: number,
  tracks: readonly FragmentTrack[],
): TrackFragment | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, traf.end);
  const boxes = parseBoxes(bytes, boxBody(traf), traf.end);
  const tfhd = boxes.find(({ type }) => type === 'tfhd');
  if (!tfhd) return undefined;
  const flags = view.getUint32(boxBody(tfhd)) & 0xffffff;
  const trackId = view.getUint32(boxBody(tfhd) + 4);
  const track = tracks.find(({ id }) => id === trackId);
  let at = boxBody(tfhd) + 8;
  const field = (flag: number, otherwise: number): number => {
    if ((flags & flag) === 0) return otherwise;
    at += 4;
    return view.getUint32(at - 4);
  };
  const absolute = (flags & BASE_DATA_OFFSET) !== 0;
  if (absolute) at += 8;
  const base = absolute ? u64(bytes, at - 8) : flags & DEFAULT_BASE_IS_MOOF ? moof : follows;
  field(DESCRIPTION_INDEX, 0);
  const sampleDuration = field(DEFAULT_DURATION, track?.sampleDuration ?? 0);
  const sampleSize = field(DEFAULT_SIZE, track?.sampleSize ?? 0);
  const sampleFlags = field(DEFAULT_FLAGS, track?.sampleFlags ?? 0);
  const runs: TrackRun[] = [];
  let [samples, duration] = [0, 0];
  for (const box of boxes) {
    if (box.type !== 'trun') continue;
    const run = parseTrun(view, box, base, endOf(runs.at(-1)) ?? base, sampleSize);
    runs.push(run);
    samples += run.samples;
    duration += sumOf(view, run, SAMPLE_DURATION, sampleDuration);
  }
  const filled = runs.filter(run => run.samples > 0);
  const first = filled[0];
  const firstFlags = first && (first.firstFlags ?? fieldOf(view, first, 0, SAMPLE_FLAGS, sampleFlags));
  return {
    ...{ box: traf, boxes, trackId, flags, sampleDuration, sampleSize, sampleFlags, runs, samples, duration, absolute },
    decodeTime: decodeTimeOf(bytes, boxes),
    absoluteTime: absoluteTimeOf(view, boxes),
    // Version 0 has unsigned offsets; muxers write negative ones there all the same.
    compositionOffset: first ? fieldOf(view, first, 0, SAMPLE_OFFSET, 0) | 0 : 0,
    sync: firstFlags !== undefined && (firstFlags & NON_SYNC) === 0,
    data: {
      from: filled.reduce((least, run) => Math.min(least, run.position), first?.position ?? base),
      to: filled.reduce((most, run) => Math.max(most, run.position + run.bytes), first?.position ?? base),
    },
  };
}

function decodeTimeOf(bytes: Uint8Array, boxes: readonly Box[]): number | undefined {
  const tfdt = boxes.find(({ type }) => type === 'tfdt');
  if (!tfdt) return undefined;
  const wide = bytes[boxBody(tfdt)] === 1;
  if (tfdt.end - boxBody(tfdt) < (wide ? 12 : 8)) throw new RangeError('tfdt is too short');
  return wide ? u64(bytes, boxBody(tfdt) + 4) : u32(bytes, boxBody(tfdt) + 4);
}

function absoluteTimeOf(view: DataView, boxes: readonly Box[]): number | undefined {
  for (const { type, ...box } of boxes) {
    const body = box.offset + box.headerSize;
    if (type !== 'uuid' || box.end - body < 28) continue;
    const id = Buffer.from(view.buffer, view.byteOffset + body, 16).toString('hex');
    if (id !== TFXD) continue;
    const wide = view.getUint8(body + 16) === 1 && box.end - body >= 36;
    return wide ? Number(view.getBigInt64(body + 20)) : view.getUint32(body + 20);
  }
  return undefined;
}

/**
 * @param base where an offset of the run counts from
 * @param follows where its data begin when it does not say
 */
function parseTrun(view: DataView, box: Box, base: number, follows: number, sampleSize: number): TrackRun {
  const body = boxBody(box);
  const flags = view.getUint32(body) & 0xffffff;
  const samples = view.getUint32(body + 4);
  let entries = body + 8;
  const position = flags & DATA_OFFSET ? base + view.getInt32(entries) : follows;
  if (flags & DATA_OFFSET) entries += 4;
  const firstFlags = flags & FIRST_FLAGS ? view.getUint32(entries) : undefined;
  if (flags & FIRST_FLAGS) entries += 4;
  const fields = [SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_OFFSET].filter(field => flags & field);
  const entrySize = fields.length * 4;
  if (samples * entrySize > box.end - entries) throw new RangeError('trun is longer than its box');
  const run = { box, flags, samples, firstFlags, entries, entrySize, position, bytes: 0 };
  return { ...run, bytes: sumOf(view, run, SAMPLE_SIZE, sampleSize) };
}

/** A field of the sample `i` of a run, or the default. */
export function fieldOf(view: DataView, run: TrackRun, i: number, field: number, otherwise: number): number {
  return run.flags & field ? view.getUint32(run.entries + i * run.entrySize + fieldAt(run.flags, field)) : otherwise;
}

/** Bytes before a field in the fields of a sample. */
function fieldAt(flags: number, field: number): number {
  let at = 0;
  for (let before = SAMPLE_DURATION; before < field; before *= 2) if (flags & before) at += 4;
  return at;
}

function sumOf(view: DataView, run: TrackRun, field: number, otherwise: number): number {
  if ((run.flags & field) === 0) return run.samples * otherwise;
  let sum = 0;
  let at = run.entries + fieldAt(run.flags, field);
  for (let i = 0; i < run.samples; i++, at += run.entrySize) sum += view.getUint32(at);
  return sum;
}
