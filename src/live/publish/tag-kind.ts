import { describePayload } from '../../media/flv/payload.js';
import { AUDIO_TAG, VIDEO_TAG } from '../../media/flv/tag.js';

/** What a message of audio or video is for those who pass it on. */
export type TagKind =
  /** Nothing that a player needs: empty, a command, the end of a sequence. */
  | { readonly kind: 'nothing' }
  /** Replaces what was in this slot of the headers. */
  | { readonly kind: 'header'; readonly slot: string; readonly codec: string }
  | { readonly kind: 'frame'; readonly key: boolean; readonly codec: string };

const NOTHING: TagKind = { kind: 'nothing' };
/** Video codecs whose one-byte header is followed by a packet type and a composition time. */
const PACKETISED = new Set([7, 12, 13]);
const COMMAND_FRAME = 5;
const AAC = 10;

/** Packet types of Enhanced RTMP that carry something for a decoder. */
const ENHANCED_VIDEO = new Set([0, 1, 3, 4, 5, 6, 7]);
const ENHANCED_AUDIO = new Set([0, 1, 4, 5, 7]);

/** @param body data of a tag of audio or video */
export function tagKindOf(type: 8 | 9, body: Uint8Array): TagKind {
  if (isNothing(type, body)) return NOTHING;
  const { codec, key, slot } = describePayload(type, body);
  if (slot !== undefined) return { kind: 'header', slot, codec };
  return { kind: 'frame', key: type === VIDEO_TAG && key, codec };
}

/** Encoders send empty payloads, and headers with nothing behind them. */
function isNothing(type: 8 | 9, body: Uint8Array): boolean {
  const [first = 0, second = 0] = body;
  if (type === AUDIO_TAG) {
    if (first >> 4 === 9) return body.length < 6 || !ENHANCED_AUDIO.has(first & 0x0f);
    return body.length <= (first >> 4 === AAC ? 2 : 1);
  }
  const frameType = (first >> 4) & 7;
  if (first & 0x80) {
    const packet = first & 0x0f;
    return body.length < 6 || !ENHANCED_VIDEO.has(packet) || (frameType === COMMAND_FRAME && packet !== 4);
  }
  if (frameType === COMMAND_FRAME) return true;
  return PACKETISED.has(first & 0x0f) ? second > 1 || body.length <= 5 : body.length <= 1;
}
