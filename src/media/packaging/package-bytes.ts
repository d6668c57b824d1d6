import { SAMPLE_DURATION, SAMPLE_FLAGS, SAMPLE_OFFSET, SAMPLE_SIZE } from '../fmp4/moof.js';
import { IndexReader, IndexWriter } from '../io/index-bytes.js';
import type { MediaPackage, OmittedTrack, PackageTrack, SegmentRows, TrackKind } from './media-package.js';
import { SEGMENT_BYTES_MAX, SEGMENT_SAMPLES_MAX } from './segment-rows.js';
import { MATRIX } from './track-description.js';

/**
 * A package as bytes; fields as `IndexWriter` writes them.
 *
 *   file size | origin f64 | omitted: u32, each id u32, handler, reason as UTF-8 bytes | tracks: u32, each
 *     id u32 | kind u8 | handler | timescale u32 | language | name as UTF-8 bytes | enabled u8 | group u32 |
 *     matrix | width, height u32 | entry | default duration, size u32 | edit media f64 | composition shift f64 |
 *     open groups u8 | all syncs u8 | samples, times, begins, bytes: rising rows | fields: flags of `trun` without
 *     their lower 8 bits, a byte each
 */

const KINDS: readonly TrackKind[] = ['video', 'audio', 'text'];
const FIELDS = (SAMPLE_DURATION | SAMPLE_SIZE | SAMPLE_FLAGS | SAMPLE_OFFSET) >> 8;
const TRACKS_MAX = 256;
const ENTRY_MAX = 256 * 1024;
const TEXT_MAX = 4096;
const MAX = Number.MAX_SAFE_INTEGER;
/** Bytes that a package, a track and a row take in memory, about. */
const PACKAGE_BYTES = 512;
const TRACK_BYTES = 1024;
const ROW_BYTES = 34;

/** Bytes that a package takes in memory, about. */
export function packageWeight({ tracks, omitted }: MediaPackage): number {
  const text = omitted.reduce((sum, { reason }) => sum + 128 + reason.length, 0);
  return tracks.reduce(
    (sum, { entry, segments }) => sum + TRACK_BYTES + entry.length + segments.count * ROW_BYTES,
    PACKAGE_BYTES + text,
  );
}

/** Encodes a package. */
export function encodePackage({ size, tracks, origin, omitted }: MediaPackage): Uint8Array {
  const out = new IndexWriter().f64(size).f64(origin).u32(omitted.length);
  for (const { id, handler, reason } of omitted) out.u32(id).text(handler).bytes(utf8(reason));
  out.u32(tracks.length);
  for (const track of tracks) {
    const { samples, times, begins, bytes, fields } = track.segments;
    out.u32(track.id).u8(KINDS.indexOf(track.kind)).text(track.handler).u32(track.timescale);
    out.text(track.language).bytes(utf8(track.name)).u8(Number(track.enabled)).u32(track.alternateGroup);
    out.bytes(track.matrix).u32(track.width).u32(track.height);
    out.bytes(track.entry).u32(track.defaultDuration).u32(track.defaultSize);
    out.f64(track.editMedia).f64(track.compositionShift);
    out.u8(Number(track.openGops)).u8(Number(track.syncs === 'all'));
    out.rising(samples).rising(times).rising(begins).rising(bytes);
    out.bytes(Uint8Array.from(fields, field => field >> 8));
  }
  return out.finish();
}

/** Decodes what `encodePackage` made for an object of `size` bytes; undefined when the bytes are anything else. */
export function decodePackage(encoded: Uint8Array, size: number): MediaPackage | undefined {
  try {
    const from = new IndexReader(encoded);
    check(from.whole(MAX) === size);
    const origin = from.f64();
    check(Number.isFinite(origin));
    const omitted = list(from, (): OmittedTrack => {
      return { id: from.u32(), handler: from.text(), reason: text(from.bytes(TEXT_MAX)) };
    });
    const tracks = list(from, index => readTrack(from, index, size));
    from.end();
    check(tracks.length > 0);
    const duration = tracks.reduce((latest, { end, timescale }) => Math.max(latest, end / timescale), 0);
    return { size, tracks, duration, origin, omitted };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readTrack(from: IndexReader, index: number, size: number): PackageTrack {
  const [id, kind, handler, timescale] = [from.u32(), KINDS[from.u8()], from.text(), from.u32()];
  check(kind !== undefined && timescale > 0);
  const [language, name] = [from.text(), text(from.bytes(TEXT_MAX))];
  const [enabled, alternateGroup, matrix] = [flag(from), from.u32(), from.bytes(MATRIX)];
  const [width, height, entry] = [from.u32(), from.u32(), from.bytes(ENTRY_MAX)];
  check(entry.length >= 16 && matrix.length === MATRIX);
  const [defaultDuration, defaultSize, editMedia, compositionShift] = [
    from.u32(),
    from.u32(),
    from.whole(MAX),
    from.f64(),
  ];
  check(compositionShift === (compositionShift | 0));
  const [openGops, allSync] = [flag(from), flag(from)];
  const segments = readRows(from, size);
  return {
    ...{ index, id, kind, handler, timescale, language, name, enabled, alternateGroup, matrix, width, height, entry },
    ...{
      defaultDuration,
      defaultSize,
      editMedia,
      compositionShift,
      segments,
      end: segments.begins[segments.count]!,
      openGops,
    },
    syncs: allSync ? 'all' : 'first',
  };
}

function readRows(from: IndexReader, size: number): SegmentRows {
  const samples = from.rising(0xffff_ffff, true);
  const [times, begins, bytes] = [from.rising(MAX, false), from.rising(MAX, true), from.rising(MAX, false)];
  const count = samples.length - 1;
  const written = from.bytes(Math.max(0, count));
  check(count > 0 && written.length === count);
  for (const column of [times, begins, bytes]) check(column.length === count + 1);
  for (let row = 0; row < count; row++) {
    const [held, length] = [samples[row + 1]! - samples[row]!, bytes[row + 1]! - bytes[row]!];
    check(held <= SEGMENT_SAMPLES_MAX && length <= Math.min(SEGMENT_BYTES_MAX, held * size));
    check((written[row]! & ~FIELDS) === 0);
  }
  return { count, samples, times, begins, bytes, fields: Uint16Array.from(written, field => field << 8) };
}

function list<T>(from: IndexReader, item: (index: number) => T): T[] {
  const count = from.u32();
  check(count <= TRACKS_MAX);
  return Array.from({ length: count }, (_, index) => item(index));
}

function flag(from: IndexReader): boolean {
  const value = from.u8();
  check(value < 2);
  return value === 1;
}

function utf8(value: string): Uint8Array {
  return Buffer.from(value).subarray(0, TEXT_MAX);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function check(condition: boolean): asserts condition {
  if (!condition) throw new RangeError('not a package');
}
