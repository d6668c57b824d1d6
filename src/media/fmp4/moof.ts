import { READ_MAX } from '../../base/byte-source.js';
import { boxBody, parseBox, u32, u64 } from '../mp4/box/box.js';
import { BoxCursor, code } from '../mp4/box/box-cursor.js';
import { broken } from '../mp4/box/broken.js';
import type { Region } from '../mp4/box/regions.js';
import type { FragmentTrack } from './movie.js';

/** A run of samples of a track fragment, `trun` (ISO/IEC 14496-12 section 8.8.8). */
export interface TrackRun {
  /** First byte of the box in the `moof`, first byte of its contents, and first byte after it. */
  readonly offset: number;
  readonly body: number;
  readonly end: number;
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
  /** First byte of the box in the `moof`, first byte of its contents, and first byte after it. */
  readonly offset: number;
  readonly body: number;
  readonly end: number;
  /** First byte of the contents of `tfhd`. */
  readonly header: number;
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
/** Most boxes in one movie fragment. */
const TRAFS_MAX = 256;
const TFXD = Buffer.from('6d1d9b0542d544e680e2141daff757b2', 'hex');
const [TRAF, TFHD, TFDT] = [code('traf'), code('tfhd'), code('tfdt')];
const [TRUN, UUID] = [code('trun'), code('uuid')];

/** Bytes of the largest `moof` that is read. */
export const MOOF_MAX = READ_MAX;

/**
 * @param moof the whole box
 * @param at where it stands in the file
 * @throws EdgeError `unplayable` when it is broken
 */
export function parseMoof(moof: Uint8Array, at: number, tracks: readonly FragmentTrack[]): TrackFragment[] {
  try {
    const view = new DataView(moof.buffer, moof.byteOffset, moof.length);
    const found: TrackFragment[] = [];
    let trafs = 0;
    // Where data begin of which nothing is said: at the `moof`, then behind those of the track before (section
    // 8.8.7.1).
    let follows = at;
    const boxes = new BoxCursor(moof, boxBody(parseBox(moof, 0, 0, moof.length)), moof.length);
    while (boxes.next()) {
      if (++trafs > TRAFS_MAX) throw broken(`a movie fragment in it has more than ${TRAFS_MAX} boxes`);
      if (boxes.type !== TRAF) continue;
      const fragment = parseTraf(moof, view, boxes, at, follows, tracks);
      if (!fragment) continue;
      found.push(fragment);
      follows = endOf(fragment.runs) ?? follows;
    }
    return found;
  } catch (error) {
    if (error instanceof RangeError) throw broken(`a movie fragment in it is broken (${error.message})`);
    throw error;
  }
}

/** Where the data of the last of the runs end. */
function endOf(runs: readonly TrackRun[]): number | undefined {
  const run = runs[runs.length - 1];
  return run && run.position + run.bytes;
}

/** Where the boxes of a track fragment stand that are read; their contents, 0 for one that is missing. */
interface Places {
  readonly header: number;
  readonly time: number;
  readonly timeEnd: number;
  /** The first `tfxd`. */
  readonly absoluteTime: number;
  readonly absoluteTimeEnd: number;
}

function placesIn(bytes: Uint8Array, from: number, to: number): Places {
  const places = { header: 0, time: 0, timeEnd: 0, absoluteTime: 0, absoluteTimeEnd: 0 };
  const boxes = new BoxCursor(bytes, from, to);
  while (boxes.next()) {
    if (boxes.type === TFHD && places.header === 0) {
      places.header = boxes.body;
    } else if (boxes.type === TFDT && places.time === 0) {
      places.time = boxes.body;
      places.timeEnd = boxes.end;
    } else if (boxes.type === UUID && places.absoluteTime === 0 && isAbsoluteTime(bytes, boxes.body, boxes.end)) {
      places.absoluteTime = boxes.body;
      places.absoluteTimeEnd = boxes.end;
    }
  }
  return places;
}

function parseTraf(
  bytes: Uint8Array,
  view: DataView,
  { offset, body, end }: BoxCursor,
  moof: number,
  follows: number,
  tracks: readonly FragmentTrack[],
): TrackFragment | undefined {
  const places = placesIn(bytes, body, end);
  const { header } = places;
  if (header === 0) return undefined;
  if (header + 8 > end) throw new RangeError('tfhd is too short');
  const flags = view.getUint32(header) & 0xffffff;
  const trackId = view.getUint32(header + 4);
  const track = tracks.find(({ id }) => id === trackId);
  let at = header + 8;
  const absolute = (flags & BASE_DATA_OFFSET) !== 0;
  if (absolute) at += 8;
  const base = absolute ? u64(bytes, at - 8) : flags & DEFAULT_BASE_IS_MOOF ? moof : follows;
  if (flags & DESCRIPTION_INDEX) at += 4;
  let sampleDuration = track?.sampleDuration ?? 0;
  if (flags & DEFAULT_DURATION) {
    sampleDuration = view.getUint32(at);
    at += 4;
  }
  let sampleSize = track?.sampleSize ?? 0;
  if (flags & DEFAULT_SIZE) {
    sampleSize = view.getUint32(at);
    at += 4;
  }
  let sampleFlags = track?.sampleFlags ?? 0;
  if (flags & DEFAULT_FLAGS) {
    sampleFlags = view.getUint32(at);
    at += 4;
  }
  if (at > end) throw new RangeError('tfhd is too short');
  const runs: TrackRun[] = [];
  let [samples, duration, from, to] = [0, 0, Number.POSITIVE_INFINITY, 0];
  let first: TrackRun | undefined;
  const boxes = new BoxCursor(bytes, body, end);
  while (boxes.next()) {
    if (boxes.type !== TRUN) continue;
    const run = parseTrun(view, boxes, base, endOf(runs) ?? base, sampleSize);
    runs.push(run);
    if (run.samples === 0) continue;
    first ??= run;
    samples += run.samples;
    duration += sumOf(view, run, SAMPLE_DURATION, sampleDuration);
    from = Math.min(from, run.position);
    to = Math.max(to, run.position + run.bytes);
  }
  const firstFlags = first && (first.firstFlags ?? fieldOf(view, first, 0, SAMPLE_FLAGS, sampleFlags));
  return {
    offset,
    body,
    end,
    header,
    trackId,
    flags,
    sampleDuration,
    sampleSize,
    sampleFlags,
    runs,
    samples,
    duration,
    absolute,
    decodeTime: decodeTimeOf(bytes, places),
    absoluteTime: absoluteTimeOf(view, places),
    // Version 0 has unsigned offsets; muxers write negative ones there all the same.
    compositionOffset: first ? fieldOf(view, first, 0, SAMPLE_OFFSET, 0) | 0 : 0,
    sync: firstFlags !== undefined && (firstFlags & NON_SYNC) === 0,
    data: first ? { from, to } : { from: base, to: base },
  };
}

function decodeTimeOf(bytes: Uint8Array, { time, timeEnd }: Places): number | undefined {
  if (time === 0) return undefined;
  const wide = bytes[time] === 1;
  if (timeEnd - time < (wide ? 12 : 8)) throw new RangeError('tfdt is too short');
  return wide ? u64(bytes, time + 4) : u32(bytes, time + 4);
}

function isAbsoluteTime(bytes: Uint8Array, body: number, end: number): boolean {
  if (end - body < 28) return false;
  for (let i = 0; i < TFXD.length; i++) if (bytes[body + i] !== TFXD[i]) return false;
  return true;
}

function absoluteTimeOf(view: DataView, { absoluteTime: body, absoluteTimeEnd: end }: Places): number | undefined {
  if (body === 0) return undefined;
  const wide = view.getUint8(body + 16) === 1 && end - body >= 36;
  return wide ? Number(view.getBigInt64(body + 20)) : view.getUint32(body + 20);
}

/**
 * @param base where an offset of the run counts from
 * @param follows where its data begin when it does not say
 */
function parseTrun(
  view: DataView,
  { offset, body, end }: BoxCursor,
  base: number,
  follows: number,
  sampleSize: number,
): TrackRun {
  if (body + 8 > end) throw new RangeError('trun is too short');
  const flags = view.getUint32(body) & 0xffffff;
  const samples = view.getUint32(body + 4);
  let entries = body + 8;
  const position = flags & DATA_OFFSET ? base + view.getInt32(entries) : follows;
  if (flags & DATA_OFFSET) entries += 4;
  const firstFlags = flags & FIRST_FLAGS ? view.getUint32(entries) : undefined;
  if (flags & FIRST_FLAGS) entries += 4;
  const entrySize = fieldAt(flags, SAMPLE_OFFSET << 1);
  if (entries > end || samples * entrySize > end - entries) throw new RangeError('trun is longer than its box');
  const run = { offset, body, end, flags, samples, firstFlags, entries, entrySize, position, bytes: 0 };
  run.bytes = sumOf(view, run, SAMPLE_SIZE, sampleSize);
  return run;
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

/** Composition offset of sample `i` of a run, ticks. */
export function compositionOf(view: DataView, run: TrackRun, i: number): number {
  // Version 0 has unsigned offsets; muxers write negative ones there all the same.
  return fieldOf(view, run, i, SAMPLE_OFFSET, 0) | 0;
}

/**
 * Whether sample `i` of a run is a sync sample.
 * @param otherwise flags of samples that say nothing of their own
 */
export function isSyncSample(view: DataView, run: TrackRun, i: number, otherwise: number): boolean {
  const first = i === 0 ? run.firstFlags : undefined;
  return ((first ?? fieldOf(view, run, i, SAMPLE_FLAGS, otherwise)) & NON_SYNC) === 0;
}
