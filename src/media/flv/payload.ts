import { AUDIO_TAG, VIDEO_TAG } from './tag.js';

/** What the first bytes of a tag's data say of it. */
export interface Payload {
  /** Four-character code of the codec, or a name of our own for those that have none. */
  readonly codec: string;
  /** Decoding can begin here: a key frame, or any audio frame. */
  readonly key: boolean;
  /**
   * For a tag that decoders need before the frames (AVCDecoderConfigurationRecord, AudioSpecificConfig, colour metadata
   * …): the slot in which a later one replaces it. Undefined for frames.
   */
  readonly slot: string | undefined;
}

/** Most bytes of data that `describePayload` looks at. */
export const PAYLOAD_HEAD = 32;

const VIDEO_CODECS: Readonly<Record<number, string>> = {
  2: 'h263',
  3: 'screen',
  4: 'vp6f',
  5: 'vp6a',
  6: 'screen2',
  7: 'avc1',
  12: 'hvc1',
  13: 'av01',
};
/**
 * Video codecs of the one-byte header whose data goes on with a packet type (E.4.3.1 for AVC; the others by common
 * use).
 */
const PACKETISED = new Set([7, 12, 13]);
const AUDIO_CODECS: Readonly<Record<number, string>> = {
  0: 'pcm',
  1: 'adpcm',
  2: 'mp3',
  3: 'pcm',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'alaw',
  8: 'mulaw',
  10: 'mp4a',
  11: 'speex',
  14: 'mp3',
};

/**
 * Reads the head of a tag's data: the one-byte headers of FLV 10.1 (E.4.2.1, E.4.3.1) and the FourCC headers of
 * Enhanced RTMP v2.
 * @param data the first `PAYLOAD_HEAD` bytes of the data, or all of it
 */
export function describePayload(type: number, data: Uint8Array): Payload {
  if (data.length === 0) return { codec: 'none', key: false, slot: undefined };
  const first = data[0]!;
  if ((type & 0x1f) === VIDEO_TAG) return first & 0x80 ? enhancedVideo(data) : plainVideo(data);
  if ((type & 0x1f) === AUDIO_TAG) return first >> 4 === 9 ? enhancedAudio(data) : plainAudio(data);
  return { codec: 'script', key: false, slot: undefined };
}

function plainVideo(data: Uint8Array): Payload {
  const [frameType, id] = [data[0]! >> 4, data[0]! & 0x0f];
  const codec = VIDEO_CODECS[id] ?? `video-${id}`;
  const key = frameType === 1 || frameType === 4;
  if (!PACKETISED.has(id)) return { codec, key, slot: undefined };
  const packet = data[1];
  return { codec, key: key && packet === 1, slot: packet === 0 && frameType !== 5 ? 'video' : undefined };
}

function plainAudio(data: Uint8Array): Payload {
  const id = data[0]! >> 4;
  const codec = AUDIO_CODECS[id] ?? `audio-${id}`;
  const config = id === 10 && data[1] === 0;
  return { codec, key: !config, slot: config ? 'audio' : undefined };
}

/** What stands before the codec's own data in the headers of Enhanced RTMP. */
interface EnhancedHead {
  readonly packet: number;
  readonly codec: string;
  readonly track: number;
}

/** Undefined when the header goes on beyond `data`. */
function enhancedHead(data: Uint8Array, multitrack: number): EnhancedHead | undefined {
  const MOD_EX = 7;
  let packet = data[0]! & 0x0f;
  let at = 1;
  while (packet === MOD_EX) {
    let size = (data[at++] ?? 0) + 1;
    if (size === 256) {
      size = (data[at] ?? 0) * 256 + (data[at + 1] ?? 0) + 1;
      at += 2;
    }
    at += size;
    if (at >= data.length) return undefined;
    packet = data[at++]! & 0x0f;
  }
  const tracks = packet === multitrack;
  if (tracks) packet = (data[at++] ?? 0) & 0x0f;
  if (at + 4 + (tracks ? 1 : 0) > data.length) return undefined;
  const codec = String.fromCharCode(...data.subarray(at, at + 4));
  return { packet, codec: /^[\x20-\x7e]{4}$/.test(codec) ? codec : 'unknown', track: tracks ? data[at + 4]! : 0 };
}

function enhancedVideo(data: Uint8Array): Payload {
  const [SEQUENCE_START, CODED_FRAMES, CODED_FRAMES_X, METADATA, MPEG2TS_START, MULTITRACK] = [0, 1, 3, 4, 5, 6];
  const frameType = (data[0]! >> 4) & 7;
  const head = enhancedHead(data, MULTITRACK);
  if (head === undefined || (frameType === 5 && head.packet !== METADATA)) {
    return { codec: head?.codec ?? 'unknown', key: false, slot: undefined };
  }
  const { packet, codec, track } = head;
  const config = packet === SEQUENCE_START || packet === METADATA || packet === MPEG2TS_START;
  const coded = packet === CODED_FRAMES || packet === CODED_FRAMES_X;
  return {
    codec,
    key: frameType === 1 && coded && track === 0,
    slot: config ? `video-${track}-${packet === METADATA ? 'colour' : 'start'}` : undefined,
  };
}

function enhancedAudio(data: Uint8Array): Payload {
  const [SEQUENCE_START, CODED_FRAMES, MULTICHANNEL, MULTITRACK] = [0, 1, 4, 5];
  const head = enhancedHead(data, MULTITRACK);
  if (head === undefined) return { codec: 'unknown', key: false, slot: undefined };
  const { packet, codec, track } = head;
  const config = packet === SEQUENCE_START || packet === MULTICHANNEL;
  return {
    codec,
    key: packet === CODED_FRAMES && track === 0,
    slot: config ? `audio-${track}-${packet === MULTICHANNEL ? 'channels' : 'start'}` : undefined,
  };
}
