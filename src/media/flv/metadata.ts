import { Amf0Reader, Amf0Writer, NUMBER_BYTES } from './amf0.js';
import { SCRIPT_TAG, TAG_HEADER, tagHeader, tagTrailer } from './tag.js';

/** Where the key-frame table of `onMetaData` stands in the file: two strict arrays of numbers of the same length. */
export interface KeyframeTable {
  /** Absolute offset of the first number of `filepositions` (bytes). */
  readonly positionsAt: number;
  /** Absolute offset of the first number of `times` (seconds). */
  readonly timesAt: number;
  /** Numbers in each of them. */
  readonly count: number;
  /**
   * Numbers before the one that belongs to the first point of the index (decoder configurations, which some muxers list
   * as key frames).
   */
  readonly skipped: number;
}

/** What is kept of `onMetaData`. */
export interface FlvMetadata {
  /** Properties that a cut does not change, as they stood in the file, one after the other. */
  readonly properties: Uint8Array;
  /** How many they are. */
  readonly count: number;
  readonly table: KeyframeTable | undefined;
}

/** `FlvMetadata` with what is only needed while an index is compiled. */
export interface ParsedMetadata extends FlvMetadata {
  /** Seconds; what the muxer believed. */
  readonly duration: number | undefined;
  /** The numbers of the table: bytes and seconds. */
  readonly positions: Float64Array;
  readonly times: Float64Array;
}

/** Most bytes of properties that are kept; others are left out of cuts. */
export const PROPERTIES_MAX = 16 * 1024;
/** Most entries of a key-frame table that is used. */
export const TABLE_MAX = 128 * 1024;

/** Properties that tell of the whole file, and would lie in a cut. */
const OF_THE_WHOLE = new Set([
  'duration',
  'filesize',
  'datasize',
  'videosize',
  'audiosize',
  'lasttimestamp',
  'lastkeyframetimestamp',
  'lastkeyframelocation',
  'keyframes',
  'hasKeyframes',
]);

/**
 * Reads the data of a script tag.
 * @param dataAt absolute offset of `data` in the file
 * @returns undefined when it is not a readable `onMetaData`
 */
export function parseMetadata(data: Uint8Array, dataAt: number): ParsedMetadata | undefined {
  try {
    const reader = new Amf0Reader(data);
    if (reader.string(0) !== 'onMetaData') return undefined;
    const kept: Uint8Array[] = [];
    let keptBytes = 0;
    let duration: number | undefined;
    let table: KeyframeTable | undefined;
    for (const { name, start, value, end } of reader.properties(reader.skip(0))) {
      if (name === 'duration') duration = reader.number(value);
      else if (name === 'keyframes') table = findTable(reader, value, dataAt);
      if (OF_THE_WHOLE.has(name) || keptBytes + end - start > PROPERTIES_MAX) continue;
      kept.push(data.subarray(start, end));
      keptBytes += end - start;
    }
    return {
      properties: new Uint8Array(Buffer.concat(kept)),
      count: kept.length,
      duration,
      table,
      positions: numbersAt(data, table, table && table.positionsAt - dataAt),
      times: numbersAt(data, table, table && table.timesAt - dataAt),
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function findTable(reader: Amf0Reader, at: number, dataAt: number): KeyframeTable | undefined {
  const found = new Map(reader.properties(at).map(({ name, value }) => [name, reader.numbers(value)]));
  const [positions, times] = [found.get('filepositions'), found.get('times')];
  if (!positions || !times || positions.count !== times.count || positions.count > TABLE_MAX) return undefined;
  return { positionsAt: dataAt + positions.at, timesAt: dataAt + times.at, count: times.count, skipped: 0 };
}

function numbersAt(data: Uint8Array, table: KeyframeTable | undefined, at = 0): Float64Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float64Array.from({ length: table?.count ?? 0 }, (_, i) => view.getFloat64(at + i * NUMBER_BYTES + 1));
}

/** What the metadata of a cut says. */
export interface CutMetadata {
  /** Seconds. */
  readonly duration: number;
  /** Seconds. */
  readonly lastTimestamp: number;
  /** Entries of the key-frame table that remain; 0 for no table. */
  readonly entries: number;
}

/** A metadata tag in three parts, with room for the two arrays of the key-frame table between them. */
export interface MetadataTag {
  /**
   * Up to the numbers of `filepositions`, or the whole tag when there is no table. Made when the size of the whole cut
   * is known.
   */
  head(fileSize: number): Uint8Array;
  /** Between the numbers of `filepositions` and those of `times`; empty without a table. */
  readonly middle: Uint8Array;
  /** After the numbers of `times`, with the tag's trailer. */
  readonly tail: Uint8Array;
  /** Bytes of all three parts and both arrays. */
  readonly length: number;
}

/**
 * Lays out the `onMetaData` tag of a cut. Its timestamp is 0, without which players take it for a cue in the middle of
 * the film.
 */
export function metadataTag(metadata: FlvMetadata | undefined, cut: CutMetadata): MetadataTag {
  const withTable = cut.entries > 0;
  const body = (fileSize: number) => {
    const writer = new Amf0Writer().string('onMetaData').ecmaArray((metadata?.count ?? 0) + (withTable ? 5 : 4));
    if (metadata) writer.raw(metadata.properties);
    writer.name('duration').number(cut.duration);
    writer.name('lasttimestamp').number(cut.lastTimestamp);
    writer.name('filesize').number(fileSize);
    writer.name('hasKeyframes').raw(Uint8Array.of(1, withTable ? 1 : 0));
    if (withTable) writer.name('keyframes').object().name('filepositions').strictArray(cut.entries);
    return writer;
  };
  const middle = withTable ? new Amf0Writer().name('times').strictArray(cut.entries).finish() : new Uint8Array();
  const ends = new Amf0Writer().end();
  if (withTable) ends.end();
  const dataSize = body(0).length + middle.length + ends.length + 2 * cut.entries * NUMBER_BYTES;
  return {
    head: fileSize => Buffer.concat([tagHeader(SCRIPT_TAG, dataSize, 0), body(fileSize).finish()]),
    middle,
    tail: Buffer.concat([ends.finish(), tagTrailer(dataSize)]),
    length: TAG_HEADER + dataSize + 4,
  };
}
