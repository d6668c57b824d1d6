import { EdgeError } from '../../base/errors.js';
import { av1Size } from '../codec/av1-sequence.js';
import type { CodedSize } from '../codec/coded-size.js';
import { parseAudioConfig } from '../codec/esds.js';
import { h264Size } from '../codec/h264-sequence.js';
import { hevcSize } from '../codec/hevc-sequence.js';
import { BoxWriter } from '../mp4/box/box-writer.js';

/** How a codec is written into a sample entry. */
interface EntryKind {
  readonly kind: 'video' | 'audio';
  /** Box of its configuration. */
  readonly box: string;
  /** Least bytes of that. */
  readonly least: number;
  readonly size?: (config: Uint8Array) => CodedSize | undefined;
}

const KINDS: Readonly<Record<string, EntryKind>> = {
  avc1: { kind: 'video', box: 'avcC', least: 7, size: h264Size },
  hvc1: { kind: 'video', box: 'hvcC', least: 23, size: hevcSize },
  av01: { kind: 'video', box: 'av1C', least: 4, size: av1Size },
  vp09: { kind: 'video', box: 'vpcC', least: 8 },
  mp4a: { kind: 'audio', box: 'esds', least: 2 },
  Opus: { kind: 'audio', box: 'dOps', least: 11 },
};

/** A sample entry, and the size of its pictures; 0 where there are none, or nothing tells. */
export interface WrittenEntry {
  readonly entry: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Makes the sample entry (ISO/IEC 14496-12 section 8.5.2) of a codec from its configuration, as live streams have it.
 * @param codec four characters
 * @param size of the pictures, where their configuration does not tell
 * @throws EdgeError `unplayable` when it is none that players of MP4 know, or the configuration makes no sense
 */
export function entryOfConfiguration(codec: string, config: Uint8Array, size?: CodedSize): WrittenEntry {
  const kind = Object.hasOwn(KINDS, codec) ? KINDS[codec] : undefined;
  if (kind === undefined) {
    throw new EdgeError('unplayable', `players of MP4 are given ${Object.keys(KINDS).join(', ')}; found ${codec}`);
  }
  if (config.length < kind.least || !isKnownVersion(kind.box, config)) throw broken(codec, config);
  if (kind.kind === 'audio') return { entry: soundEntry(codec, config), width: 0, height: 0 };
  const told = kind.size === undefined ? size : kind.size(config);
  if (kind.size !== undefined && told === undefined) throw broken(codec, config);
  const { width, height } = told ?? { width: 0, height: 0 };
  const writer = new BoxWriter(256 + config.length);
  const mark = writer.open(codec);
  writer.zeros(6);
  writer.u16(1);
  writer.zeros(16);
  writer.u16(width);
  writer.u16(height);
  writer.u32(0x48_0000);
  writer.u32(0x48_0000);
  writer.u32(0);
  writer.u16(1);
  writer.zeros(32);
  writer.u16(0x18);
  writer.u16(0xffff);
  box(writer, kind.box, () => {
    // That of VP9 is in a full box, whose head some leave out.
    if (codec === 'vp09' && !(config.length >= 12 && config[0] === 1 && config[3] === 0)) writer.u32(0x100_0000);
    writer.bytes(config);
  });
  writer.close(mark);
  return { entry: writer.take(), width, height };
}

/** Some configurations begin with their version, that of AV1 behind a marker. */
function isKnownVersion(type: string, config: Uint8Array): boolean {
  if (type === 'av1C') return config[0] === 0x81;
  // HEVC came into use with version 0.
  return type === 'avcC' ? config[0] === 1 : type !== 'hvcC' || config[0]! <= 1;
}

function broken(codec: string, config: Uint8Array): EdgeError {
  return new EdgeError(
    'unplayable',
    `expected a configuration of ${codec} that a decoder understands, found ${config.length} bytes that are none`,
  );
}

function soundEntry(codec: string, config: Uint8Array): Uint8Array {
  const isOpus = codec === 'Opus';
  const opus = isOpus ? opusSpecific(config) : undefined;
  const aac = isOpus ? undefined : parseAudioConfig(config);
  const channels = opus?.[1] ?? aac?.channels ?? 0;
  const sampleRate = isOpus ? 48_000 : (aac?.sampleRate ?? 0);
  if ((isOpus ? opus : aac) === undefined || sampleRate === 0) throw broken(codec, config);
  const writer = new BoxWriter(256 + config.length);
  const mark = writer.open(codec);
  writer.zeros(6);
  writer.u16(1);
  writer.zeros(8);
  writer.u16(channels || 2);
  writer.u16(16);
  writer.zeros(4);
  writer.u16(sampleRate > 0xffff ? 0 : sampleRate);
  writer.u16(0);
  if (opus !== undefined) box(writer, 'dOps', () => writer.bytes(opus));
  else esds(writer, config);
  writer.close(mark);
  return writer.take();
}

/** ES_Descriptor (ISO/IEC 14496-1 section 7.2.6.5) of MPEG-4 sound; lengths are of four bytes. */
function esds(writer: BoxWriter, specific: Uint8Array): void {
  const head = (tag: number, length: number) => {
    writer.u8(tag);
    for (const shift of [21, 14, 7]) writer.u8(0x80 | ((length >> shift) & 0x7f));
    writer.u8(length & 0x7f);
  };
  const decoder = 13 + 5 + specific.length;
  const mark = writer.openFull('esds', 0, 0);
  head(3, 3 + 5 + decoder + 5 + 1);
  writer.u16(1);
  writer.u8(0);
  head(4, decoder);
  writer.u8(0x40);
  writer.u8(0x15);
  writer.zeros(11);
  head(5, specific.length);
  writer.bytes(specific);
  head(6, 1);
  writer.u8(2);
  writer.close(mark);
}

/** OpusSpecificBox from the identification header of Ogg (RFC 7845 section 5.1), whose numbers are little-endian. */
function opusSpecific(head: Uint8Array): Uint8Array | undefined {
  const isHead = Buffer.from(head.subarray(0, 8)).toString('latin1') === 'OpusHead' && head.length >= 19;
  if (!isHead) return undefined;
  const from = Buffer.from(head);
  const channels = from[9]!;
  const family = from[18]!;
  if (channels === 0 || (family !== 0 && from.length < 21 + channels)) return undefined;
  const box = Buffer.alloc(family === 0 ? 11 : 13 + channels);
  box[1] = channels;
  box.writeUInt16BE(from.readUInt16LE(10), 2);
  box.writeUInt32BE(from.readUInt32LE(12), 4);
  box.writeInt16BE(from.readInt16LE(16), 8);
  box[10] = family;
  if (family !== 0) from.copy(box, 11, 19, 21 + channels);
  return box;
}

function box(writer: BoxWriter, type: string, contents: () => void): void {
  const mark = writer.open(type);
  contents();
  writer.close(mark);
}
