import { u32 } from '../mp4/box/box.js';
import { BitReader } from './bit-reader.js';
import { parseAudioConfig, parseEsds } from './esds.js';
import type { SampleEntry } from './sample-entry.js';

type Parameters = (config: Uint8Array) => string | undefined;

/**
 * What codec configurations say for a `codecs` parameter after the type of the sample entry (RFC 6381), by the box that
 * holds them.
 */
const PARAMETERS: Readonly<Record<string, Parameters>> = {
  avcC: config => (config.length < 4 ? undefined : hex(config.subarray(1, 4))),
  hvcC: hevc,
  av1C: av1,
  vpcC: vp,
  esds: mpeg4,
};
/** Entries of Dolby Vision that no other decoder may be given: named by their own configuration. */
const DOLBY_VISION = /^d(vh[1e]|va[1v]|av1)$/;

/** The codec of a sample entry as in a `codecs` parameter; its type alone when no configuration tells more. */
export function codecString({ type, boxes }: Pick<SampleEntry, 'type' | 'boxes'>): string {
  if (DOLBY_VISION.test(type)) {
    const dolby = dolbyVision(boxes);
    if (dolby !== undefined) return `${type}.${dolby.name}`;
  }
  for (const [name, read] of Object.entries(PARAMETERS)) {
    const config = boxes.get(name);
    const parameters = config && read(config);
    if (parameters !== undefined) return `${type}.${parameters}`;
  }
  return type;
}

/** Brands of what a stream of Dolby Vision also is, by its signal compatibility, for HLS. */
const BRANDS: Readonly<Record<number, string>> = { 1: 'db1p', 2: 'db2g', 4: 'db4h' };
/** Entries of Dolby Vision by those of the codecs below it. */
const DOLBY_ENTRIES: Readonly<Record<string, string>> = { hvc1: 'dvh1', hev1: 'dvhe', av01: 'dav1' };

/**
 * SUPPLEMENTAL-CODECS of HLS: the codec of the Dolby Vision that lies in an entry that others play, too. Undefined when
 * there is none.
 */
export function supplementalCodecs({ type, boxes }: SampleEntry): string | undefined {
  const dolby = dolbyVision(boxes);
  const entry = DOLBY_ENTRIES[type];
  const brand = BRANDS[dolby?.compatibility ?? 0];
  return dolby === undefined || entry === undefined || brand === undefined
    ? undefined
    : `${entry}.${dolby.name}/${brand}`;
}

/** DOVIDecoderConfigurationRecord (Dolby Vision Streams within ISOBMFF, section 3.2). */
function dolbyVision(boxes: SampleEntry['boxes']): { name: string; compatibility: number } | undefined {
  const config = boxes.get('dvcC') ?? boxes.get('dvvC') ?? boxes.get('dvwC');
  if (config === undefined || config.length < 5) return undefined;
  const reader = new BitReader(config.subarray(2));
  const [profile, level] = [reader.bits(7), reader.bits(6)];
  return { name: `${two(profile)}.${two(level)}`, compatibility: config[4]! >> 4 };
}

/** HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1 and Annex E.3). */
function hevc(config: Uint8Array): string | undefined {
  if (config.length < 13) return undefined;
  const general = config[1]!;
  const space = ['', 'A', 'B', 'C'][general >> 6];
  let compatibility = 0;
  for (let bit = 0, left = u32(config, 2); bit < 32; bit++, left = Math.floor(left / 2)) {
    compatibility = compatibility * 2 + (left % 2);
  }
  const tier = (general & 0x20) === 0 ? 'L' : 'H';
  let constraints = 12;
  while (constraints > 6 && config[constraints - 1] === 0) constraints--;
  const bytes = Array.from(config.subarray(6, constraints), byte => byte.toString(16));
  return [`${space}${general & 0x1f}`, compatibility.toString(16), `${tier}${config[12]}`, ...bytes].join('.');
}

/** AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format Binding, sections 2.3 and 5). */
function av1(config: Uint8Array): string | undefined {
  if (config.length < 3) return undefined;
  const [levels, flags] = [config[1]!, config[2]!];
  const depth = (flags & 0x40) === 0 ? 8 : (flags & 0x20) === 0 ? 10 : 12;
  return `${levels >> 5}.${two(levels & 0x1f)}${(flags & 0x80) === 0 ? 'M' : 'H'}.${two(depth)}`;
}

/** VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding). */
function vp(config: Uint8Array): string | undefined {
  if (config.length < 7) return undefined;
  return `${two(config[4]!)}.${two(config[5]!)}.${two(config[6]! >> 4)}`;
}

/** Object types whose name has another part: MPEG-4 sound and MPEG-4 visual. */
const [MPEG4_SOUND, MPEG4_VISUAL] = [0x40, 0x20];
const VISUAL_SEQUENCE = 0x0000_01b0;

/** Object types of `esds`: of the stream, and for MPEG-4 that of its configuration (RFC 6381 section 3.3). */
function mpeg4(esds: Uint8Array): string | undefined {
  const decoder = parseEsds(esds);
  if (decoder === undefined) return undefined;
  const { objectType, specific } = decoder;
  const name = hex([objectType]).toUpperCase();
  if (objectType === MPEG4_SOUND) {
    const sound = parseAudioConfig(specific);
    return sound === undefined ? name : `${name}.${sound.objectType}`;
  }
  const isSequence = objectType === MPEG4_VISUAL && specific.length >= 5 && u32(specific, 0) === VISUAL_SEQUENCE;
  return isSequence ? `${name}.${specific[4]}` : name;
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
