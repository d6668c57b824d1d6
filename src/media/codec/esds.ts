import { BitReader } from './bit-reader.js';

/** DecoderConfigDescriptor (ISO/IEC 14496-1 section 7.2.6.6). */
export interface DecoderConfig {
  /** objectTypeIndication: 0x40 is MPEG-4 sound, 0x6b MPEG-1 sound … */
  readonly objectType: number;
  /** DecoderSpecificInfo; empty when there is none. */
  readonly specific: Uint8Array;
}

/** Contents of `esds`; undefined when they make no sense. */
export function parseEsds(esds: Uint8Array): DecoderConfig | undefined {
  const stream = descriptor(esds.subarray(4), 3);
  const flags = stream?.[2];
  if (stream === undefined || flags === undefined) return undefined;
  const depends = flags & 0x80 ? 2 : 0;
  const url = (flags & 0x40) === 0 ? 0 : 1 + (stream[3 + depends] ?? 0);
  const clock = flags & 0x20 ? 2 : 0;
  const decoder = descriptor(stream.subarray(3 + depends + url + clock), 4);
  const objectType = decoder?.[0];
  if (decoder === undefined || objectType === undefined) return undefined;
  return { objectType, specific: descriptor(decoder.subarray(13), 5) ?? new Uint8Array(0) };
}

/** Contents of the descriptor that `bytes` begin with; undefined when it has another tag. */
function descriptor(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  if (bytes[0] !== tag) return undefined;
  let size = 0;
  let at = 1;
  for (; at <= 4; at++) {
    size = size * 128 + (bytes[at]! & 0x7f);
    if ((bytes[at]! & 0x80) === 0) break;
  }
  return bytes.subarray(at + 1, at + 1 + size);
}

/** AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1), as far as players must know it. */
export interface AudioConfig {
  /** Audio object type of the whole: 2 is AAC-LC, 5 with SBR (HE-AAC), 29 with PS (HE-AAC v2), 42 xHE-AAC. */
  readonly objectType: number;
  /** That come out of the decoder; 0 when only the stream tells. */
  readonly channels: number;
  /** Hertz that come out of the decoder; 0 when only the stream tells. */
  readonly sampleRate: number;
}

const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
/** By channelConfiguration (ISO/IEC 23001-8); 0: told elsewhere. */
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 3, 4, 7, 8, 24, 8];
const [SBR, PS] = [5, 29];
/** Types whose configuration is a GASpecificConfig. */
const GENERAL = [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23];
/** What comes before a configuration of SBR that older decoders pass over, and before one of PS. */
const [SBR_SYNC, PS_SYNC] = [0x2b7, 0x548];

/** Reads an AudioSpecificConfig; undefined when it does not even tell its type. */
export function parseAudioConfig(bytes: Uint8Array): AudioConfig | undefined {
  const reader = new BitReader(bytes);
  let objectType = audioObjectType(reader);
  if (reader.ended || objectType === 0) return undefined;
  const outer = objectType;
  let sampleRate = rate(reader);
  const layout = reader.bits(4);
  let channels = CHANNELS[layout] ?? 0;
  if (reader.ended) return { objectType, sampleRate: 0, channels: 0 };
  if (outer === SBR || outer === PS) {
    sampleRate = rate(reader);
    objectType = audioObjectType(reader);
  }
  if (GENERAL.includes(objectType)) {
    const elements = generalConfig(reader, objectType, layout);
    if (layout === 0) channels = elements;
  }
  if (outer === SBR || outer === PS)
    return { objectType: outer, sampleRate, channels: outer === PS ? both(channels) : channels };
  // After other configurations than the general ones it is not known where this would stand.
  if (GENERAL.includes(objectType) && reader.left >= 16 && reader.bits(11) === SBR_SYNC) {
    const extension = audioObjectType(reader);
    if ((extension === SBR || extension === 22) && reader.flag()) {
      const extended = rate(reader);
      if (extension === SBR && reader.left >= 12 && reader.bits(11) === PS_SYNC && reader.flag())
        return { objectType: PS, sampleRate: extended, channels: both(channels) };
      if (!reader.ended) return { objectType: SBR, sampleRate: extended, channels };
    }
  }
  return { objectType, sampleRate, channels };
}

/** Parametric stereo makes two channels of one. */
function both(channels: number): number {
  return channels === 1 ? 2 : channels;
}

function audioObjectType(reader: BitReader): number {
  const type = reader.bits(5);
  return type === 31 ? 32 + reader.bits(6) : type;
}

function rate(reader: BitReader): number {
  const index = reader.bits(4);
  return index === 15 ? reader.bits(24) : (RATES[index] ?? 0);
}

/** GASpecificConfig (section 4.4.1); the channels of its program_config_element, 0 when it has none. */
function generalConfig(reader: BitReader, objectType: number, layout: number): number {
  reader.skip(1);
  if (reader.flag()) reader.skip(14);
  const isExtended = reader.flag();
  const channels = layout === 0 ? programChannels(reader) : 0;
  if (objectType === 6 || objectType === 20) reader.skip(3);
  if (!isExtended) return channels;
  if (objectType === 22) reader.skip(16);
  if ([17, 19, 20, 23].includes(objectType)) reader.skip(3);
  reader.skip(1);
  return channels;
}

/** Channels of a program_config_element (section 4.5.1.2). */
function programChannels(reader: BitReader): number {
  reader.skip(4 + 2 + 4);
  const [front, side, back] = [reader.bits(4), reader.bits(4), reader.bits(4)];
  const lowFrequency = reader.bits(2);
  const [data, coupling] = [reader.bits(3), reader.bits(4)];
  for (const skipped of [4, 4, 3]) if (reader.flag()) reader.skip(skipped);
  let channels = lowFrequency;
  for (let i = 0; i < front + side + back; i++) {
    channels += reader.flag() ? 2 : 1;
    reader.skip(4);
  }
  reader.skip(lowFrequency * 4 + data * 4 + coupling * 5);
  reader.align();
  reader.skip(reader.bits(8) * 8);
  return reader.ended ? 0 : channels;
}
