import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import { literal, type Patch, type Span, source } from '../../virtual-file/span.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import type { Reading } from '../io/reading.js';
import type { MediaObject } from '../seek/media.js';
import type { Seek } from '../seek/seek.js';
import { seekEtag } from '../seek/seek-etag.js';
import { NUMBER_BYTES } from './amf0.js';
import type { ConfigTag, FlvIndex } from './flv-index.js';
import { metadataTag } from './metadata.js';
import { numbersLess, timestampsLess } from './patches.js';
import { pointAtTime, type StartPoint, timestampAt } from './start-point.js';
import { fileHeader, tagHeader, tagTrailer } from './tag.js';
import { TagReader } from './tag-reader.js';

/** How FLV files are cut. */
export interface FlvOptions {
  /**
   * What `start` and `end` are; `auto` takes a number that is exactly the offset of a key-frame tag for bytes, any
   * other for seconds.
   */
  readonly start: 'auto' | 'bytes' | 'seconds';
  /** Whether the tags of a cut keep their timestamps, or begin at 0. */
  readonly timestamps: 'kept' | 'rebased';
}

/** Most tags that are looked at for the exact end of a cut; after them it ends at the next key frame. */
const END_TAGS = 4096;

/** Milliseconds for decimals that binary fractions round down. */
const ROUNDING = 0.5;

/** Where a cut ends: an absolute offset, and the timestamp there in milliseconds. */
interface End {
  readonly offset: number;
  readonly timestamp: number;
}

/**
 * The FLV file that begins at the last key frame at or before `seek.start`: header, metadata, decoder configurations,
 * tags. A cut that ends does so before the first frame at or after `seek.end`. `yield*` it.
 * @param format name and layout version, for the entity tag
 * @returns undefined when the plain file is the answer
 * @throws EdgeError `range_not_satisfiable`; `unplayable` when the key-frame table points at something else;
 * and whatever the source throws
 */
export function* planFlv(
  index: FlvIndex,
  object: MediaObject,
  seek: Seek,
  options: FlvOptions,
  format: string,
): Reading<VirtualFile | undefined> {
  if (seek.start <= 0 && seek.end === undefined) return undefined;
  const inBytes = isBytePosition(index, seek, options);
  const findStart = inBytes ? startAtByte : startAtSecond;
  const { point, timestamp } = yield* findStart(index, object.source, seek.start);
  const findEnd = inBytes ? endAtByte : endAtSecond;
  const end = seek.end === undefined ? undefined : yield* findEnd(index, object.source, point, seek.end);
  const whole = { offset: index.end, timestamp: index.base + index.duration };
  return assemble(index, object, options, format, { point, timestamp, end: end ?? whole });
}

function isBytePosition({ positions }: FlvIndex, { start, end }: Seek, options: FlvOptions): boolean {
  if (options.start !== 'auto') return options.start === 'bytes';
  const value = start > 0 ? start : end!;
  return positions[lastAtMost(positions, value)] === value;
}

function* startAtByte(index: FlvIndex, bytes: ByteSource, start: number): Reading<StartPoint> {
  if (start >= index.size) {
    throw new EdgeError('range_not_satisfiable', `start=${start} is past the end: the file has ${index.size} bytes`);
  }
  const point = Math.max(0, lastAtMost(index.positions, start));
  return { point, timestamp: yield* timestampAt(index, bytes, point) };
}

function* startAtSecond(index: FlvIndex, bytes: ByteSource, start: number): Reading<StartPoint> {
  if (start * 1000 >= index.duration) {
    const length = index.duration / 1000;
    throw new EdgeError('range_not_satisfiable', `start=${start} is past the end: the file lasts ${length} s`);
  }
  return yield* pointAtTime(index, bytes, index.base + start * 1000 + ROUNDING);
}

function* endAtSecond(index: FlvIndex, bytes: ByteSource, point: number, end: number): Reading<End | undefined> {
  const limit = index.base + end * 1000 - ROUNDING;
  if (end * 1000 >= index.duration) return undefined;
  const last = yield* pointAtTime(index, bytes, limit);
  return yield* walkToEnd(index, bytes, point, Math.max(point, last.point), tag => tag.timestamp >= limit);
}

function* endAtByte(index: FlvIndex, bytes: ByteSource, point: number, end: number): Reading<End | undefined> {
  const last = Math.max(point, lastAtMost(index.positions, end - 1));
  return yield* walkToEnd(index, bytes, point, last, tag => tag.offset >= end);
}

/**
 * Walks to the first tag of the same kind that is past the end, or to the point after `last`.
 * @param point the cut's first, which stays inside the cut
 * @param last the last point before the end
 */
function* walkToEnd(
  { positions, times }: FlvIndex,
  bytes: ByteSource,
  point: number,
  last: number,
  past: (tag: TagReader) => boolean,
): Reading<End | undefined> {
  const tag = new TagReader(bytes, positions[last]!);
  const next = positions[last + 1] ?? Number.POSITIVE_INFINITY;
  let type: number | undefined;
  for (let count = 0; count < END_TAGS; count++) {
    if (!(yield* tag.next())) return undefined;
    if (tag.offset >= next) break;
    type ??= tag.type;
    if (tag.type === type && tag.offset > positions[point]! && past(tag)) {
      return { offset: tag.offset, timestamp: tag.timestamp };
    }
  }
  return last + 1 < positions.length ? { offset: next, timestamp: times[last + 1]! } : undefined;
}

/** A cut: where it begins and ends. */
interface Cut extends StartPoint {
  readonly end: End;
}

function assemble(index: FlvIndex, object: MediaObject, options: FlvOptions, format: string, cut: Cut): VirtualFile {
  const { point, timestamp, end } = cut;
  const from = index.positions[point]!;
  const length = end.offset - from;
  const rebase = options.timestamps === 'rebased' ? timestamp : 0;
  const stamp = timestamp - rebase;
  const table = index.metadata?.table;
  const entries = table ? lastAtMost(index.positions, end.offset - 1) + 1 - point : 0;
  const tag = metadataTag(index.metadata, {
    duration: Math.max(0, end.timestamp - timestamp) / 1000,
    lastTimestamp: Math.max(0, end.timestamp - rebase) / 1000,
    entries,
  });
  const configs = configTags(index, from, stamp);
  const before = fileHeader(index.flags);
  const mediaAt = before.length + tag.length + configs.length;
  const size = mediaAt + length;
  const spans: Span[] = [];
  if (table) {
    const skipped = (table.skipped + point) * NUMBER_BYTES;
    const [positionsAt, timesAt] = [table.positionsAt + skipped, table.timesAt + skipped];
    spans.push(literal(Buffer.concat([before, tag.head(size)])));
    spans.push(patched(entries * NUMBER_BYTES, numbersLess(positionsAt, from - mediaAt)));
    spans.push(literal(tag.middle));
    if (rebase === 0) spans.push(source(timesAt, entries * NUMBER_BYTES));
    else spans.push(patched(entries * NUMBER_BYTES, numbersLess(timesAt, rebase / 1000)));
    spans.push(literal(Buffer.concat([tag.tail, configs])));
  } else {
    spans.push(literal(Buffer.concat([before, tag.head(size), tag.tail, configs])));
  }
  spans.push(rebase === 0 ? source(from, length) : patched(length, timestampsLess(index, from, end.offset, rebase)));
  return {
    size,
    etag: seekEtag(object.etag, format, [options.timestamps, from, end.offset, end.timestamp, timestamp]),
    lastModified: object.lastModified,
    contentType: object.contentType,
    spans,
    seekActual: Math.max(0, timestamp - index.base) / 1000,
  };
}

/** The decoder configurations that hold at `from`, as tags. */
function configTags({ configs }: FlvIndex, from: number, timestamp: number): Uint8Array {
  const slots = new Map<string, ConfigTag>();
  for (const config of configs) {
    if (config.offset >= from) continue;
    slots.delete(config.slot);
    slots.set(config.slot, config);
  }
  const tags = [...slots.values()].flatMap(({ type, data }) => [
    tagHeader(type, data.length, timestamp),
    data,
    tagTrailer(data.length),
  ]);
  return Buffer.concat(tags);
}

function patched(length: number, patch: Patch): Span {
  return { kind: 'patched', length, patch };
}
