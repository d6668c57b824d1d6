import { AUDIO_TAG, VIDEO_TAG } from './tag.js';

/** Where a frame lies in a tag's data, and when it is shown. */
export interface FrameData {
  /** Codec, as `describePayload` names it. */
  readonly codec: string;
  /** First byte of the frame in the data, and the byte behind it. */
  readonly from: number;
  readonly to: number;
  /** Milliseconds from decoding to presentation; may be negative. */
  readonly composition: number;
  readonly isKey: boolean;
}

/** A configuration of a codec, in the form in which MP4 has it, too. */
export interface CodecConfiguration {
  readonly codec: string;
  readonly bytes: Uint8Array;
}

/** Packet types of Enhanced RTMP v2: those of video, and those of audio. */
const [SEQUENCE_START, CODED_FRAMES, CODED_FRAMES_X, MULTITRACK_VIDEO, MULTITRACK_AUDIO, MOD_EX] = [0, 1, 3, 6, 5, 7];
/** Codecs whose coded frames have a composition time before them, when they are not told by CODED_FRAMES_X. */
const COMPOSED = new Set(['avc1', 'hvc1', 'vvc1']);
/** Codecs of the one-byte headers that are packetised as AVC is (Adobe FLV 10.1, section E.4.3.1). */
const PLAIN_VIDEO: Readonly<Record<number, string>> = { 7: 'avc1', 12: 'hvc1', 13: 'av01' };
const AAC = 10;
const KEY = 1;

/** A packet of a tag's data, whatever its header. */
interface Packet {
  readonly codec: string;
  readonly isConfiguration: boolean;
  readonly isFrame: boolean;
  readonly isKey: boolean;
  readonly from: number;
  readonly to: number;
  readonly composition: number;
}

/** The frame of the main track in a tag; undefined when there is none that HLS could have. */
export function frameDataOf(type: number, data: Uint8Array): FrameData | undefined {
  const packet = packetOf(type, data);
  return packet?.isFrame && packet.to > packet.from ? packet : undefined;
}

/** The configuration in a header of the main track; undefined when it has none. */
export function configurationOf(type: number, data: Uint8Array): CodecConfiguration | undefined {
  const packet = packetOf(type, data);
  if (!packet?.isConfiguration || packet.to <= packet.from) return undefined;
  return { codec: packet.codec, bytes: data.subarray(packet.from, packet.to) };
}

function packetOf(type: number, data: Uint8Array): Packet | undefined {
  if (data.length < 2) return undefined;
  const first = data[0]!;
  if (type === VIDEO_TAG) return first & 0x80 ? enhanced(data, true) : plainVideo(data);
  if (type === AUDIO_TAG) return first >> 4 === 9 ? enhanced(data, false) : plainAudio(data);
  return undefined;
}

function plainVideo(data: Uint8Array): Packet | undefined {
  const [frameType, packet] = [data[0]! >> 4, data[1]!];
  const codec = PLAIN_VIDEO[data[0]! & 0x0f];
  if (codec === undefined || data.length < 5 || frameType === 5) return undefined;
  return {
    codec,
    isConfiguration: packet === 0,
    isFrame: packet === 1,
    isKey: frameType === KEY,
    from: 5,
    to: data.length,
    composition: signed24(data, 2),
  };
}

function plainAudio(data: Uint8Array): Packet | undefined {
  if (data[0]! >> 4 !== AAC) return undefined;
  const isConfiguration = data[1] === 0;
  const place = { from: 2, to: data.length, composition: 0 };
  return { codec: 'mp4a', isConfiguration, isFrame: data[1] === 1, isKey: true, ...place };
}

/** Headers of Enhanced RTMP v2, of which track 0 counts. */
function enhanced(data: Uint8Array, isVideo: boolean): Packet | undefined {
  let packet = data[0]! & 0x0f;
  let at = 1;
  while (packet === MOD_EX) {
    let size = (data[at++] ?? 0) + 1;
    if (size === 256) {
      size = u16(data, at) + 1;
      at += 2;
    }
    at += size;
    if (at >= data.length) return undefined;
    packet = data[at++]! & 0x0f;
  }
  const frameType = (data[0]! >> 4) & 7;
  if (isVideo && frameType === 5) return undefined;
  let to = data.length;
  let codec: string;
  if (packet === (isVideo ? MULTITRACK_VIDEO : MULTITRACK_AUDIO)) {
    const kind = data[at]! >> 4;
    packet = data[at++]! & 0x0f;
    const track = trackZero(data, at, kind);
    if (track === undefined) return undefined;
    ({ codec, from: at, to } = track);
  } else {
    codec = fourcc(data, at);
    at += 4;
  }
  if (at > to) return undefined;
  const isFrame = packet === CODED_FRAMES || (isVideo && packet === CODED_FRAMES_X);
  let composition = 0;
  if (isVideo && packet === CODED_FRAMES && COMPOSED.has(codec)) {
    if (at + 3 > to) return undefined;
    composition = signed24(data, at);
    at += 3;
  }
  const isConfiguration = packet === SEQUENCE_START;
  return { codec, isConfiguration, isFrame, isKey: !isVideo || frameType === KEY, from: at, to, composition };
}

/** Kinds of multitrack: one track, many of one codec, many of several. */
const [ONE_TRACK, MANY_CODECS] = [0, 2];

function trackZero(data: Uint8Array, from: number, kind: number) {
  let at = from;
  let codec = '';
  if (kind !== MANY_CODECS) {
    codec = fourcc(data, at);
    at += 4;
  }
  while (at < data.length) {
    if (kind === MANY_CODECS) {
      codec = fourcc(data, at);
      at += 4;
    }
    const track = data[at++];
    let to = data.length;
    if (kind !== ONE_TRACK) {
      to = at + 3 + (u16(data, at) * 256 + (data[at + 2] ?? 0));
      at += 3;
    }
    if (track === 0) return to <= data.length ? { codec, from: at, to } : undefined;
    at = to;
  }
  return undefined;
}

function fourcc(data: Uint8Array, at: number): string {
  return String.fromCharCode(...data.subarray(at, at + 4));
}

function u16(data: Uint8Array, at: number): number {
  return (data[at] ?? 0) * 256 + (data[at + 1] ?? 0);
}

function signed24(data: Uint8Array, at: number): number {
  return ((data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8)) >> 8;
}
