import { u32 } from '../mp4/box/box.js';
import { BitReader } from './bit-reader.js';
import { parseAudioConfig, parseEsds } from './esds.js';
import type { SampleEntry } from './sample-entry.js';

/** What comes out of a decoder of sound. */
export interface Sound {
  /** 0 when nothing tells, or only the stream. */
  readonly channels: number;
  /** Hertz; 0 when nothing tells. */
  readonly sampleRate: number;
  /** Most objects of Dolby Atmos in E-AC-3, its complexity index; 0 without. In HLS `CHANNELS` is then `16/JOC`. */
  readonly jointObjects: number;
}

/** Configurations by the box that holds them, those of compressed sound; what it lacks, the entry tells. */
const CONFIGURATIONS: Readonly<Record<string, (config: Uint8Array) => Partial<Sound> | undefined>> = {
  esds: mpeg,
  dac3: ac3,
  dec3: eac3,
  dOps: opus,
  dfLa: flac,
  alac,
};

/** Object types of MPEG-4 sound and of AAC of MPEG-2 (Main, LC and SSR), and those of MP3. */
const [AAC, MP3] = [
  [0x40, 0x66, 0x67, 0x68],
  [0x69, 0x6b],
];

/** `esds`. Of MP3 only its frames tell the channels: in the entry writers say two, whatever they are. */
function mpeg(config: Uint8Array): Partial<Sound> | undefined {
  const decoder = parseEsds(config);
  if (decoder === undefined) return undefined;
  if (MP3.includes(decoder.objectType)) return { channels: 0 };
  if (!AAC.includes(decoder.objectType)) return undefined;
  const { channels, sampleRate } = parseAudioConfig(decoder.specific) ?? { channels: 0, sampleRate: 0 };
  return { ...(channels > 0 && { channels }), ...(sampleRate > 0 && { sampleRate }) };
}

/** Channels and rate as the codec's configuration tells them, else as the fields of the entry do. */
export function soundOf({ channels, sampleRate, boxes }: SampleEntry): Sound {
  for (const [type, read] of Object.entries(CONFIGURATIONS)) {
    const config = boxes.get(type);
    const told = config && read(config);
    if (!told) continue;
    return { channels, sampleRate, jointObjects: 0, ...told };
  }
  return { channels, sampleRate, jointObjects: 0 };
}

/** By fscod and acmod (ETSI TS 102 366 sections 4.4.1.3 and 4.4.2.3). */
const AC3_RATES = [48000, 44100, 32000, 0];
const AC3_CHANNELS = [2, 1, 2, 3, 3, 4, 4, 5];

/** AC3SpecificBox (ETSI TS 102 366 section F.4). */
function ac3(config: Uint8Array): Partial<Sound> | undefined {
  const reader = new BitReader(config);
  const sampleRate = AC3_RATES[reader.bits(2)]!;
  reader.skip(5 + 3);
  const channels = AC3_CHANNELS[reader.bits(3)]! + reader.bits(1);
  return reader.ended ? undefined : { channels, sampleRate };
}

/** Channels at the places that chan_loc tells of (section F.6.2.13), from its last bit on. */
const EC3_PLACES = [2, 2, 1, 1, 2, 2, 2, 1, 1];

/** EC3SpecificBox (section F.6): the first program, with what its dependent substreams add. */
function eac3(config: Uint8Array): Partial<Sound> | undefined {
  const reader = new BitReader(config);
  reader.skip(13);
  const programs = reader.bits(3) + 1;
  let [channels, sampleRate] = [0, 0];
  for (let i = 0; i < programs; i++) {
    const rate = AC3_RATES[reader.bits(2)]!;
    reader.skip(5 + 1 + 1 + 3);
    let speakers = AC3_CHANNELS[reader.bits(3)]! + reader.bits(1);
    reader.skip(3);
    if (reader.bits(4) > 0) {
      const places = reader.bits(9);
      speakers += EC3_PLACES.reduce((sum, count, bit) => sum + ((places >> bit) & 1) * count, 0);
    } else reader.skip(1);
    if (i === 0) [channels, sampleRate] = [speakers, rate];
  }
  if (reader.ended) return undefined;
  // Section F.6: a byte that says so, and one with the complexity index, follow when there are objects.
  const isJoint = reader.left >= 16 && (reader.bits(8) & 1) === 1;
  return { channels, sampleRate, jointObjects: isJoint ? reader.bits(8) : 0 };
}

/** OpusSpecificBox (Encapsulation of Opus in ISOBMFF, section 4.3.2); decoders give 48 kHz, whatever went in. */
function opus(config: Uint8Array): Partial<Sound> | undefined {
  return config.length < 11 ? undefined : { channels: config[1]!, sampleRate: 48000 };
}

/** FLACSpecificBox: STREAMINFO of RFC 9639 section 8.2 behind its header. */
function flac(config: Uint8Array): Partial<Sound> | undefined {
  if (config.length < 8 + 34 || (config[4]! & 0x7f) !== 0) return undefined;
  const reader = new BitReader(config.subarray(8 + 10));
  const sampleRate = reader.bits(20);
  return { sampleRate, channels: reader.bits(3) + 1 };
}

/** ALACSpecificConfig (Apple Lossless Format Description), behind version and flags. */
function alac(config: Uint8Array): Partial<Sound> | undefined {
  return config.length < 28 ? undefined : { channels: config[13]!, sampleRate: u32(config, 24) };
}
