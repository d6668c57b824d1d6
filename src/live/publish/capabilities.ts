import type { Amf0Input, Amf0Value } from '../../media/flv/amf0.js';

/*
 * What Enhanced RTMP v2 has clients and servers tell each other with `connect` and its answer ("Enhancing NetConnection
 * connect Command"). We decode nothing, and pass everything on.
 */

const [RECONNECT, MULTITRACK, MOD_EX] = [1, 2, 4];
/** Of a codec: it can be passed on. */
const CAN_FORWARD = 4;
const VIDEO_CODECS = ['avc1', 'hvc1', 'vvc1', 'av01', 'vp08', 'vp09'];
const AUDIO_CODECS = ['mp4a', 'Opus', 'ac-3', 'ec-3', 'fLaC', '.mp3'];

/** What we say we can do; part of the answer to `connect`. */
export const CAPABILITIES: Readonly<Record<string, Amf0Input>> = {
  fourCcList: [...VIDEO_CODECS, ...AUDIO_CODECS],
  videoFourCcInfoMap: forwarding(VIDEO_CODECS),
  audioFourCcInfoMap: forwarding(AUDIO_CODECS),
  capsEx: RECONNECT | MULTITRACK | MOD_EX,
};

/** Whether a client says that it comes back when it is asked to. @param connect the object of its command */
export function canReconnect(connect: Amf0Value | undefined): boolean {
  const caps = connect instanceof Map ? connect.get('capsEx') : undefined;
  return typeof caps === 'number' && (caps & RECONNECT) !== 0;
}

function forwarding(codecs: readonly string[]): Record<string, Amf0Input> {
  return Object.fromEntries(codecs.map(codec => [codec, CAN_FORWARD]));
}
