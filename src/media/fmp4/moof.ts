import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { type Reading, read } from '../io/reading.js';
import { type Box, boxBody, parseBoxes, u32, u64 } from '../mp4/box/box.js';
import { broken } from '../mp4/table/table.js';
import type { FragmentedMovie } from './movie.js';

/** What a movie fragment holds of one track (ISO/IEC 14496-12 section 8.8). Times are ticks of the track. */
export interface TrackFragment {
  readonly trackId: number;
  /** `baseMediaDecodeTime`; undefined without `tfdt`. */
  readonly decodeTime: number | undefined;
  /** Composition offset of the first sample. */
  readonly compositionOffset: number;
  /** Whether the first sample is a sync sample. */
  readonly sync: boolean;
  /** Sum of the sample durations. */
  readonly duration: number;
  /** Whether `tfhd` tells where the samples are by an absolute offset of the file. */
  readonly absolute: boolean;
}

const [BASE_DATA_OFFSET, DESCRIPTION_INDEX, DEFAULT_DURATION, DEFAULT_SIZE, DEFAULT_FLAGS] = [1, 2, 8, 0x10, 0x20];
const [DATA_OFFSET, FIRST_FLAGS, SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_OFFSET] = [
  1, 4, 0x100, 0x200, 0x400, 0x800,
];
const NON_SYNC = 0x10000;
/** Most track fragments in one movie fragment. */
const TRAFS_MAX = 256;

/** Bytes of the largest `moof` that is read. */
const MOOF_MAX = READ_MAX;

/**
 * Reads a movie fragment; `yield*` it.
 * @param box a box of type `moof`
 * @throws EdgeError `unplayable` when it is broken or larger than `MOOF_MAX`
 */
export function* readMoof(source: ByteSource, box: Box, movie: FragmentedMovie): Reading<TrackFragment[]> {
  const size = box.end - box.offset;
  if (size > MOOF_MAX) throw broken(`box "moof" at byte ${box.offset} has ${size} bytes; ${MOOF_MAX} are the limit`);
  return parseMoof(yield* read(source, box.offset, size), box.headerSize, movie);
}

/**
 * @param moof the whole box
 * @param headerSize bytes of its header
 * @throws EdgeError `unplayable` when it is broken
 */
function parseMoof(moof: Uint8Array, headerSize: number, movie: FragmentedMovie): TrackFragment[] {
  try {
    const trafs = parseBoxes(moof, headerSize, moof.length, TRAFS_MAX).filter(({ type }) => type === 'traf');
    return trafs.flatMap(traf => parseTraf(moof, traf, movie) ?? []);
  } catch (error) {
    if (error instanceof RangeError) throw broken(`a movie fragment in it is broken (${error.message})`);
    throw error;
  }
}

function parseTraf(bytes: Uint8Array, traf: Box, movie: FragmentedMovie): TrackFragment | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, traf.end);
  const boxes = parseBoxes(bytes, boxBody(traf), traf.end);
  const tfhd = boxes.find(({ type }) => type === 'tfhd');
  if (!tfhd) return undefined;
  const flags = view.getUint32(boxBody(tfhd)) & 0xffffff;
  const trackId = view.getUint32(boxBody(tfhd) + 4);
  const track = movie.tracks.find(({ id }) => id === trackId);
  let at = boxBody(tfhd) + 8 + (flags & BASE_DATA_OFFSET ? 8 : 0) + (flags & DESCRIPTION_INDEX ? 4 : 0);
  let defaultDuration = track?.sampleDuration ?? 0;
  let defaultFlags = track?.sampleFlags ?? 0;
  if (flags & DEFAULT_DURATION) {
    defaultDuration = view.getUint32(at);
    at += 4;
  }
  if (flags & DEFAULT_SIZE) at += 4;
  if (flags & DEFAULT_FLAGS) defaultFlags = view.getUint32(at);
  const runs = boxes.filter(({ type }) => type === 'trun').map(trun => parseTrun(view, trun, defaultDuration));
  const first = runs.find(({ samples }) => samples > 0);
  return {
    trackId,
    decodeTime: decodeTimeOf(bytes, boxes),
    compositionOffset: first?.compositionOffset ?? 0,
    sync: first !== undefined && ((first.flags ?? defaultFlags) & NON_SYNC) === 0,
    duration: runs.reduce((sum, { duration }) => sum + duration, 0),
    absolute: (flags & BASE_DATA_OFFSET) !== 0,
  };
}

function decodeTimeOf(bytes: Uint8Array, boxes: readonly Box[]): number | undefined {
  const tfdt = boxes.find(({ type }) => type === 'tfdt');
  if (!tfdt) return undefined;
  const wide = bytes[boxBody(tfdt)] === 1;
  if (tfdt.end - boxBody(tfdt) < (wide ? 12 : 8)) throw new RangeError('tfdt is too short');
  return wide ? u64(bytes, boxBody(tfdt) + 4) : u32(bytes, boxBody(tfdt) + 4);
}

interface Run {
  readonly samples: number;
  readonly duration: number;
  readonly compositionOffset: number;
  /** Flags of the first sample; undefined for the default. */
  readonly flags: number | undefined;
}

function parseTrun(view: DataView, trun: Box, defaultDuration: number): Run {
  const body = boxBody(trun);
  const flags = view.getUint32(body) & 0xffffff;
  const samples = view.getUint32(body + 4);
  let at = body + 8 + (flags & DATA_OFFSET ? 4 : 0);
  const firstFlags = flags & FIRST_FLAGS ? view.getUint32(at) : undefined;
  if (flags & FIRST_FLAGS) at += 4;
  let [duration, entry, ownFlags, compositionOffset] = [samples * defaultDuration, 0, 0, 0];
  const fields = [SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_OFFSET].filter(field => flags & field);
  const size = fields.length * 4;
  if (samples * size > trun.end - at) throw new RangeError('trun is longer than its box');
  if (flags & SAMPLE_DURATION) {
    duration = 0;
    for (let i = 0; i < samples; i++) duration += view.getUint32(at + i * size);
    entry += 4;
  }
  if (samples > 0) {
    if (flags & SAMPLE_SIZE) entry += 4;
    if (flags & SAMPLE_FLAGS) ownFlags = view.getUint32(at + entry);
    if (flags & SAMPLE_FLAGS) entry += 4;
    // Version 0 has unsigned offsets; muxers write negative ones there all the same.
    if (flags & SAMPLE_OFFSET) compositionOffset = view.getInt32(at + entry);
  }
  return { samples, duration, compositionOffset, flags: firstFlags ?? (flags & SAMPLE_FLAGS ? ownFlags : undefined) };
}
