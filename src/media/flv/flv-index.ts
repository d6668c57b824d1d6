import { IndexReader, IndexWriter } from '../io/index-bytes.js';
import { type FlvMetadata, PROPERTIES_MAX, TABLE_MAX } from './metadata.js';

/** A tag that decoders need before frames. */
export interface ConfigTag {
  /** Absolute offset of the tag. */
  readonly offset: number;
  /** First byte of the tag. */
  readonly type: number;
  /** A later one of the same slot replaces it. */
  readonly slot: string;
  readonly data: Uint8Array;
}

/** All that a seek needs to know of an FLV file. */
export interface FlvIndex {
  /** Bytes of the object. */
  readonly size: number;
  /** Flags of the file header. */
  readonly flags: number;
  /** Timestamp of the first frame, milliseconds: second 0 of the file. */
  readonly base: number;
  /** Milliseconds from `base` to the end. */
  readonly duration: number;
  /** Just past the last whole tag, absolute; `size` when that is not known. */
  readonly end: number;
  /** Absolute offsets of the tags at which a cut may begin, rising. At least one. */
  readonly positions: Float64Array;
  /** Their timestamps, milliseconds. */
  readonly times: Float64Array;
  /** Whether the points were seen in the file; otherwise they are what the key-frame table claims. */
  readonly seen: boolean;
  readonly configs: readonly ConfigTag[];
  readonly metadata: FlvMetadata | undefined;
  /**
   * For each step of `STEP` bytes of the file, where the first tag that begins in it begins, counted from the start of
   * the step, or `NO_TAG`; undefined when timestamps are kept. It lets a window in the middle of the file find the
   * tags.
   */
  readonly steps: Uint16Array | undefined;
}

/** Bytes of a step of `FlvIndex.steps`. */
export const STEP = 32 * 1024;
/** Value in `FlvIndex.steps` for a step in which no tag begins. */
export const NO_TAG = 0xffff;
/** Most bytes of data of one decoder configuration that is kept. */
export const CONFIG_MAX = 64 * 1024;
/** Most decoder configurations of one file. */
export const CONFIGS_MAX = 256;

/** Bytes that the index takes in memory. */
export function flvIndexWeight(index: FlvIndex): number {
  const configs = index.configs.reduce((sum, { data }) => sum + data.length + 200, 0);
  const metadata = index.metadata ? index.metadata.properties.length + 300 : 0;
  return (
    500 + index.positions.byteLength + index.times.byteLength + (index.steps?.byteLength ?? 0) + configs + metadata
  );
}

/** The index as bytes. */
export function encodeFlvIndex(index: FlvIndex): Uint8Array {
  const writer = new IndexWriter().f64(index.size).u8(index.flags).f64(index.base).f64(index.duration).f64(index.end);
  writer
    .rising(index.positions)
    .rising(index.times)
    .u8(index.seen ? 1 : 0)
    .u32(index.configs.length);
  for (const { offset, type, slot, data } of index.configs) writer.f64(offset).u8(type).text(slot).bytes(data);
  const { metadata, steps } = index;
  writer.u8(metadata ? 1 : 0);
  if (metadata) {
    const { properties, count, table } = metadata;
    writer
      .bytes(properties)
      .u32(count)
      .u8(table ? 1 : 0);
    if (table) writer.f64(table.positionsAt).f64(table.timesAt).u32(table.count).u32(table.skipped);
  }
  writer.u8(steps ? 1 : 0);
  if (steps) writer.bytes(new Uint8Array(steps.buffer, steps.byteOffset, steps.byteLength));
  return writer.finish();
}

/**
 * The index that `encodeFlvIndex` made for an object of `size` bytes, or undefined when the bytes are something else.
 */
export function decodeFlvIndex(bytes: Uint8Array, size: number): FlvIndex | undefined {
  try {
    const reader = new IndexReader(bytes);
    if (reader.f64() !== size) return undefined;
    const [flags, base, duration, end] = [
      reader.u8(),
      reader.whole(2 ** 32),
      reader.whole(2 ** 33),
      reader.whole(size),
    ];
    const positions = reader.rising(end - 1, true);
    const times = reader.rising(2 ** 32, false);
    if (positions.length === 0 || positions.length !== times.length) return undefined;
    const seen = reader.u8() === 1;
    const configCount = reader.u32();
    if (configCount > CONFIGS_MAX) return undefined;
    const configs: ConfigTag[] = [];
    for (let i = 0; i < configCount; i++) {
      const [offset, type, slot, data] = [reader.whole(size), reader.u8(), reader.text(), reader.bytes(CONFIG_MAX)];
      configs.push({ offset, type, slot, data });
    }
    const metadata = reader.u8() === 1 ? readMetadata(reader, size, positions.length) : undefined;
    const steps = reader.u8() === 1 ? readSteps(reader, size) : undefined;
    reader.end();
    return { size, flags, base, duration, end, positions, times, seen, configs, metadata, steps };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readMetadata(reader: IndexReader, size: number, points: number): FlvMetadata {
  const [properties, count] = [reader.bytes(PROPERTIES_MAX), reader.u32()];
  if (reader.u8() === 0) return { properties, count, table: undefined };
  const [positionsAt, timesAt] = [reader.whole(size), reader.whole(size)];
  const [entries, skipped] = [reader.u32(), reader.u32()];
  const bytes = entries * 9;
  if (entries > TABLE_MAX || entries - skipped !== points || Math.max(positionsAt, timesAt) + bytes > size) {
    throw new RangeError('the key-frame table of the index is out of bounds');
  }
  return { properties, count, table: { positionsAt, timesAt, count: entries, skipped } };
}

function readSteps(reader: IndexReader, size: number): Uint16Array {
  const bytes = reader.bytes(2 * Math.ceil(size / STEP));
  if (bytes.length % 2 !== 0) throw new RangeError('the steps of the index are cut off');
  const steps = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  if (steps.some(step => step >= STEP && step !== NO_TAG)) throw new RangeError('a step of the index is out of bounds');
  return steps;
}
