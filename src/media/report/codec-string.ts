import { type Box, boxBody, boxBodySize, u32 } from '../mp4/box/box.js';

/**
 * What codec configurations say for a `codecs` parameter after the type of the sample entry (RFC 6381), by the box that
 * holds them.
 */
const PARAMETERS: Readonly<Record<string, (config: Uint8Array) => string | undefined>> = {
  avcC: config => (config.length < 4 ? undefined : hex(config.subarray(1, 4))),
  hvcC: hevc,
  av1C: av1,
  vpcC: vp,
  esds: mpeg4,
};

/**
 * The codec of a sample entry as in a `codecs` parameter.
 * @param type of the sample entry
 * @param boxes inside the sample entry, which stand in `bytes`
 * @returns the type alone when no configuration tells more
 */
export function codecString(type: string, bytes: Uint8Array, boxes: readonly Box[]): string {
  for (const box of boxes) {
    const parameters = PARAMETERS[box.type]?.(bytes.subarray(boxBody(box), boxBody(box) + boxBodySize(box)));
    if (parameters !== undefined) return `${type}.${parameters}`;
  }
  return type;
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

/**
 * Object types of `esds` (ISO/IEC 14496-1 section 7.2.6): of the stream, and for MPEG-4 sound that of its
 * configuration.
 */
function mpeg4(esds: Uint8Array): string | undefined {
  const stream = descriptor(esds.subarray(4), 3);
  const flags = stream?.[2];
  if (stream === undefined || flags === undefined) return undefined;
  const url = (flags & 0x40) === 0 ? 0 : 1 + (stream[3 + (flags & 0x80 ? 2 : 0)] ?? 0);
  const decoder = descriptor(stream.subarray(3 + (flags & 0x80 ? 2 : 0) + url + (flags & 0x20 ? 2 : 0)), 4);
  const type = decoder?.[0];
  if (decoder === undefined || type === undefined) return undefined;
  const sound = type === 0x40 ? descriptor(decoder.subarray(13), 5) : undefined;
  if (sound === undefined || sound.length < 2) return hex([type]);
  const object = sound[0]! >> 3;
  return `40.${object === 31 ? 32 + ((sound[0]! & 7) << 3) + (sound[1]! >> 5) : object}`;
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

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
