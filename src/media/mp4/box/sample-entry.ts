import { type ByteSource, READ_MAX } from '../../../base/byte-source.js';
import { type Reading, read } from '../../io/reading.js';
import { type Box, boxBody, boxBodySize, parseBoxes, u32 } from './box.js';
import { broken } from './broken.js';

/** Most sample descriptions, and data references, of a track. */
const ENTRIES_MAX = 256;

/** What a cut must know of a track's sample descriptions (`stsd`, ISO/IEC 14496-12 section 8.5.2). */
export interface SampleEntries {
  /** Type of the first: `avc1`, `mp4a` … */
  readonly codec: string | undefined;
  /** Data references that they use, counted from 1. */
  readonly references: readonly number[];
  /**
   * For uncompressed and old QuickTime sound (QuickTime File Format, "Sound Sample Descriptions"): samples and bytes of
   * a packet; otherwise 0.
   */
  readonly packetSamples: number;
  readonly packetBytes: number;
}

/** Reads `stsd`. */
export function* readSampleEntries(source: ByteSource, box: Box): Reading<SampleEntries> {
  const size = boxBodySize(box);
  if (size < 8 || size > READ_MAX) throw broken(`box "stsd" has ${size} bytes`);
  const bytes = yield* read(source, boxBody(box), size);
  const entries = parseBoxes(bytes, 8, size, ENTRIES_MAX);
  const references: number[] = [];
  for (const entry of entries) {
    if (boxBodySize(entry) < 8) throw broken('box "stsd" has an entry that is too short');
    references.push(u16(bytes, boxBody(entry) + 6));
  }
  const first = entries[0];
  const packet =
    first === undefined ? NO_PACKET : soundPacket(first.type, bytes.subarray(boxBody(first) + 8, first.end));
  return { codec: first?.type, references, ...packet };
}

const NO_PACKET = { packetSamples: 0, packetBytes: 0 };

/**
 * Uncompressed sound: bytes of a sample of one channel; below 0 for as many as the description says, and that many
 * where it says nothing.
 */
const PCM: Readonly<Record<string, number>> = {
  ...{ 'raw ': -1, NONE: -1, twos: -2, sowt: -2, lpcm: -2 },
  ...{ ulaw: 1, alaw: 1, in24: 3, in32: 4, fl32: 4, fl64: 8 },
};
/**
 * Codecs whose packets are always the same, whatever a description of version 1 says: samples, and bytes of one
 * channel.
 */
const PACKETS: Readonly<Record<string, readonly [samples: number, bytes: number]>> = {
  ...{ MAC3: [6, 2], MAC6: [6, 1], ima4: [64, 34], agsm: [160, 33] },
};
/** Codecs whose packets a description of version 0 does not tell. */
const OLD_PACKETS: typeof PACKETS = { Qclp: [160, 35], Qclq: [160, 17] };

/**
 * @param type codec
 * @param sound a sound sample description from its version on
 */
function soundPacket(type: string, sound: Uint8Array): typeof NO_PACKET {
  if (sound.length < 20) return NO_PACKET;
  const version = u16(sound, 0);
  const long = version === 2 && sound.length >= 56;
  const [channels, bits] = long ? [u32(sound, 32), u32(sound, 40)] : [Math.max(1, u16(sound, 8)), u16(sound, 10)];
  const always = PACKETS[type];
  if (always !== undefined) return { packetSamples: always[0], packetBytes: always[1] * channels };
  const said = { packetSamples: 0, packetBytes: 0 };
  if (version === 1 && sound.length >= 36)
    Object.assign(said, { packetSamples: u32(sound, 20), packetBytes: u32(sound, 28) });
  if (long) Object.assign(said, { packetSamples: u32(sound, 52), packetBytes: u32(sound, 48) });
  const isSaid = said.packetSamples > 0 && said.packetBytes > 0;
  const width = PCM[type];
  // Writers get the fields of PCM wrong, and players do not look at them; packets of version 2 may hold padding.
  if (isSaid && (width === undefined || said.packetSamples > 1 || long)) return said;
  if (width !== undefined)
    return { packetSamples: 1, packetBytes: channels * (width > 0 ? width : Math.ceil(bits / 8) || -width) };
  const old = OLD_PACKETS[type];
  return old === undefined ? said : { packetSamples: old[0], packetBytes: old[1] * channels };
}

/** Reads `dref`: for each data reference, whether the media is in this very file (section 8.7.2). */
export function* readDataReferences(source: ByteSource, box: Box): Reading<boolean[]> {
  const size = boxBodySize(box);
  if (size < 8 || size > READ_MAX) throw broken(`box "dref" has ${size} bytes`);
  const bytes = yield* read(source, boxBody(box), size);
  return parseBoxes(bytes, 8, size, ENTRIES_MAX).map(
    entry => boxBodySize(entry) < 4 || (bytes[boxBody(entry) + 3]! & 1) === 1,
  );
}

/**
 * Samples that a decoder must be given before the wanted one: the roll distance of `sgpd` (sections 8.9.3 and 10.1), 0
 * when the group tells of something else.
 */
export function* readRoll(source: ByteSource, box: Box): Reading<number> {
  const size = Math.min(boxBodySize(box), 32);
  if (size < 14) return 0;
  const bytes = yield* read(source, boxBody(box), size);
  const type = String.fromCharCode(...bytes.subarray(4, 8));
  if (type !== 'roll' && type !== 'prol') return 0;
  const version = bytes[0]!;
  const at = version === 0 ? 12 : version === 1 && u32(bytes, 8) === 0 ? 20 : 16;
  if (at + 2 > size) return 0;
  const distance = (u16(bytes, at) << 16) >> 16;
  return Math.min(Math.max(0, -distance), ROLL_MAX);
}

const ROLL_MAX = 64;

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
