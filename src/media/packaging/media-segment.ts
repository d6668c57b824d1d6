import { gathered } from '../../virtual-file/gathered.js';
import { literal, type Span } from '../../virtual-file/span.js';
import {
  DATA_OFFSET,
  DEFAULT_BASE_IS_MOOF,
  FIRST_FLAGS,
  SAMPLE_DURATION,
  SAMPLE_FLAGS,
  SAMPLE_OFFSET,
  SAMPLE_SIZE,
} from '../fmp4/moof.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import type { PackageTrack, SampleRun } from './media-package.js';

/** The track's number in its own files, where it is the only one. */
export const TRACK_ID = 1;
/** Flags of `tfhd`: the defaults that it has. */
const [DEFAULT_DURATION, DEFAULT_SIZE, DEFAULT_FLAGS] = [8, 0x10, 0x20];
/** Flags of samples (ISO/IEC 14496-12 section 8.8.3.1): of one that depends on no other, and of one that does. */
export const [SYNC, DEPENDENT] = [0x200_0000, 0x101_0000];
/** Bytes of `moof` to the end of `mfhd`, of `traf` to the end of the track's number, of `tfdt`, and of `trun`. */
const [MOOF, TRAF, TFDT, TRUN] = [8 + 16, 8 + 16, 20, 20];

/** What samples without fields of their own have. */
export type FragmentDefaults = Pick<PackageTrack, 'defaultDuration' | 'defaultSize'>;

/** What a movie fragment of one track is, beside its samples. */
export interface Fragment {
  /** `sequence_number`, at least 1. */
  readonly sequence: number;
  /** `baseMediaDecodeTime`, ticks. */
  readonly time: number;
  /** Fields that each sample has, as flags of `trun`. */
  readonly fields: number;
  /** Which samples are sync samples, without a field that says so. */
  readonly syncs: PackageTrack['syncs'];
  readonly samples: number;
  /** Of all samples. */
  readonly bytes: number;
}

/** Row `row` of a track as a fragment. */
export function fragmentOf({ segments, syncs }: PackageTrack, row: number): Fragment {
  const { samples, times, bytes, fields } = segments;
  return {
    sequence: row + 1,
    time: times[row]!,
    fields: fields[row]!,
    syncs,
    samples: samples[row + 1]! - samples[row]!,
    bytes: bytes[row + 1]! - bytes[row]!,
  };
}

/** Flags that a sample has where nothing else is said. */
export function defaultFlags(syncs: PackageTrack['syncs']): number {
  return syncs === 'all' ? SYNC : DEPENDENT;
}

/** Bytes of a segment, which no table needs to be read for. */
export function segmentSize(fragment: Fragment): number {
  return moofSize(fragment) + mediaHeader(fragment.bytes) + fragment.bytes;
}

/**
 * A media segment: `moof` and `mdat`, whose contents lie in the object.
 * @param run the samples, as many and as long as the fragment says
 */
export function mediaSegment(track: PackageTrack, fragment: Fragment, run: SampleRun): Span[] {
  return [literal(segmentHead(track, fragment, run)), ...gathered(run.offsets, run.sizes)];
}

/** What of samples stands in a `moof`. */
export type SampleFields = Pick<SampleRun, 'count' | 'sizes' | 'durations' | 'compositions' | 'flags'>;

/**
 * A media segment up to the bytes of its samples: `moof`, and the header of `mdat`.
 * @param id of the track, in a file that has others
 */
export function segmentHead(
  track: FragmentDefaults,
  fragment: Fragment,
  run: SampleFields,
  id: number = TRACK_ID,
): Uint8Array {
  const { fields, bytes } = fragment;
  const size = moofSize(fragment);
  const writer = new BoxWriter(size + 16);
  const moof = writer.open('moof');
  const header = writer.openFull('mfhd', 0, 0);
  writer.u32(fragment.sequence);
  writer.close(header);
  const traf = writer.open('traf');
  writeTrackHeader(writer, track, fragment, id);
  const time = writer.openFull('tfdt', 1, 0);
  writer.u64(fragment.time);
  writer.close(time);
  const hasFirst = isFirstApart(fragment);
  const trun = writer.openFull('trun', 1, fields | DATA_OFFSET | (hasFirst ? FIRST_FLAGS : 0));
  writer.u32(run.count);
  writer.u32(size + mediaHeader(bytes));
  if (hasFirst) writer.u32(SYNC);
  writeSamples(writer, fields, run);
  writer.close(trun);
  writer.close(traf);
  writer.close(moof);
  const isWide = mediaHeader(bytes) > 8;
  writer.u32(isWide ? 1 : 8 + bytes);
  writer.fourcc('mdat');
  if (isWide) writer.u64(16 + bytes);
  return writer.take();
}

/** Whether the first sample's flags are said apart: those of the others are the default. */
function isFirstApart({ fields, syncs }: Fragment): boolean {
  return (fields & SAMPLE_FLAGS) === 0 && syncs === 'first';
}

function moofSize(fragment: Fragment): number {
  const { fields, samples } = fragment;
  const [duration, size, flags, offset] = [
    fields & SAMPLE_DURATION ? 4 : 0,
    fields & SAMPLE_SIZE ? 4 : 0,
    fields & SAMPLE_FLAGS ? 4 : 0,
    fields & SAMPLE_OFFSET ? 4 : 0,
  ];
  const defaults = 12 - duration - size - flags;
  const each = duration + size + flags + offset;
  return MOOF + TRAF + defaults + TFDT + TRUN + (isFirstApart(fragment) ? 4 : 0) + samples * each;
}

/** Bytes of the header of `mdat`. */
function mediaHeader(bytes: number): number {
  return bytes + 8 < 0x1_0000_0000 ? 8 : 16;
}

function writeTrackHeader(writer: BoxWriter, track: FragmentDefaults, { fields, syncs }: Fragment, id: number): void {
  const has = (field: number, flag: number) => (fields & field ? 0 : flag);
  const flags =
    has(SAMPLE_DURATION, DEFAULT_DURATION) | has(SAMPLE_SIZE, DEFAULT_SIZE) | has(SAMPLE_FLAGS, DEFAULT_FLAGS);
  const mark = writer.openFull('tfhd', 0, DEFAULT_BASE_IS_MOOF | flags);
  writer.u32(id);
  if (flags & DEFAULT_DURATION) writer.u32(track.defaultDuration);
  if (flags & DEFAULT_SIZE) writer.u32(track.defaultSize);
  if (flags & DEFAULT_FLAGS) writer.u32(defaultFlags(syncs));
  writer.close(mark);
}

function writeSamples(writer: BoxWriter, fields: number, run: SampleFields): void {
  for (let i = 0; i < run.count; i++) {
    if (fields & SAMPLE_DURATION) writer.u32(run.durations[i]!);
    if (fields & SAMPLE_SIZE) writer.u32(run.sizes[i]!);
    if (fields & SAMPLE_FLAGS) writer.u32(run.flags[i]!);
    if (fields & SAMPLE_OFFSET) writer.u32(run.compositions[i]!);
  }
}
