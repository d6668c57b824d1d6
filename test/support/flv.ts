import assert from 'node:assert/strict';
import { Amf0Reader, type Amf0Value, Amf0Writer } from '../../src/media/flv/amf0.js';

/** A tag of a test file. */
export interface TestTag {
  readonly type: 8 | 9 | 18;
  readonly timestamp: number;
  readonly data: Buffer;
  /** Whether a cut may begin here. */
  readonly key?: boolean;
  /** Whether it is a decoder configuration, and of what. */
  readonly config?: string;
}

/** A tag as it stands in a file. */
export interface PlacedTag extends TestTag {
  readonly offset: number;
}

/** Video data of AVC, or of HEVC by FourCC. @param fill byte that the rest is made of */
export function video(kind: 'config' | 'key' | 'inter', size: number, fill: number, enhanced = false): Buffer {
  const head = enhanced
    ? Buffer.from([0x80 | (kind === 'inter' ? 0x20 : 0x10) | (kind === 'config' ? 0 : 1), ...Buffer.from('hvc1')])
    : Buffer.from([kind === 'inter' ? 0x27 : 0x17, kind === 'config' ? 0 : 1, 0, 0, 0]);
  return Buffer.concat([head, Buffer.alloc(size, fill)]);
}

/** Audio data of AAC. */
export function audio(kind: 'config' | 'frame', size: number, fill: number): Buffer {
  return Buffer.concat([Buffer.from([0xaf, kind === 'config' ? 0 : 1]), Buffer.alloc(size, fill)]);
}

function u24(value: number): number[] {
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** A whole tag with its trailer. */
function tagBytes({ type, timestamp, data }: TestTag): Buffer {
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32BE(11 + data.length);
  const time = [...u24(timestamp % 0x1000000), Math.floor(timestamp / 0x1000000)];
  return Buffer.concat([Buffer.from([type, ...u24(data.length), ...time, 0, 0, 0]), data, trailer]);
}

/** `onMetaData` with a key-frame table, whose numbers are 8-byte doubles, so that its size doesn't depend on them. */
export function metadataTag(duration: number, table?: { positions: number[]; times: number[] }): TestTag {
  const writer = new Amf0Writer().string('onMetaData').ecmaArray(3).name('duration').number(duration);
  writer.name('filesize').number(1).name('creator').string('test');
  if (table) {
    writer.name('keyframes').object().name('times').strictArray(table.times.length);
    for (const time of table.times) writer.number(time);
    writer.name('filepositions').strictArray(table.positions.length);
    for (const position of table.positions) writer.number(position);
    writer.end();
  }
  return { type: 18, timestamp: 0, data: Buffer.from(writer.end().finish()) };
}

/**
 * A file of these tags, and where each of them stands. With `table`, a metadata tag with a key-frame table comes first;
 * its times may be rounded to seconds, as some muxers write them.
 */
export function makeFlv(
  tags: readonly TestTag[],
  table: boolean | 'rounded' = false,
): { bytes: Buffer; placed: PlacedTag[] } {
  const keys = tags.filter(({ type, key }) => type === 9 && key);
  const duration = Math.max(0, ...tags.map(({ timestamp }) => timestamp)) / 1000;
  const seconds = (time: number) => (table === 'rounded' ? Math.round(time / 1000) : time / 1000);
  const times = keys.map(({ timestamp }) => seconds(timestamp));
  const place = (all: readonly TestTag[]) => {
    let offset = 13;
    return all.map(tag => {
      const placed = { ...tag, offset };
      offset += 15 + tag.data.length;
      return placed;
    });
  };
  const zero = metadataTag(duration, { positions: times.map(() => 0), times });
  const positions = place([zero, ...tags]).filter(({ type, key }) => type === 9 && key);
  const all = table
    ? [metadataTag(duration, { positions: positions.map(({ offset }) => offset), times }), ...tags]
    : tags;
  const header = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);
  return { bytes: Buffer.concat([header, ...all.map(tagBytes)]), placed: place(all) };
}

/** Reads a file that must be right to the last byte. */
export function parseFlv(bytes: Buffer): PlacedTag[] {
  assert.deepEqual([...bytes.subarray(0, 4)], [0x46, 0x4c, 0x56, 1]);
  assert.equal(bytes.readUInt32BE(5), 9);
  assert.equal(bytes.readUInt32BE(9), 0);
  const tags: PlacedTag[] = [];
  for (let offset = 13; offset < bytes.length; ) {
    const size = bytes.readUIntBE(offset + 1, 3);
    const type = bytes[offset]! as TestTag['type'];
    assert.ok([8, 9, 18].includes(type), `tag of type ${type} at ${offset}`);
    const timestamp = bytes.readUIntBE(offset + 4, 3) + bytes[offset + 7]! * 0x1000000;
    assert.equal(bytes.readUIntBE(offset + 8, 3), 0);
    assert.equal(bytes.readUInt32BE(offset + 11 + size), 11 + size, `PreviousTagSize after the tag at ${offset}`);
    tags.push({ type, timestamp, data: bytes.subarray(offset + 11, offset + 11 + size), offset });
    offset += 15 + size;
  }
  return tags;
}

/** The properties of an `onMetaData` tag. */
export function metadataOf(tag: PlacedTag): ReadonlyMap<string, Amf0Value> {
  const reader = new Amf0Reader(tag.data);
  assert.equal(reader.value(0), 'onMetaData');
  return reader.value(reader.skip(0)) as ReadonlyMap<string, Amf0Value>;
}
