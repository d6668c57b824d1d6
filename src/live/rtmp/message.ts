/** Types of RTMP messages (RTMP 1.0, sections 5.4 and 7.1). */
export const MESSAGE = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowSize: 5,
  peerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  dataAmf0: 18,
  commandAmf0: 20,
  aggregate: 22,
} as const;

/** A message as it has come. */
export interface RtmpMessage {
  readonly type: number;
  /** Milliseconds, 0 to 2^32-1; wraps around. */
  readonly timestamp: number;
  /** Number of the message stream. */
  readonly streamId: number;
  /** Valid until whoever is told of the message returns. */
  readonly payload: Buffer;
}
