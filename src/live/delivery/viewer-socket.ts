import type { ViewerProtocol } from './live-stats.js';

/** The way to one viewer, whatever frames it puts tags into. Nothing may be called after the viewer has left. */
export interface ViewerSocket {
  /**
   * Descriptor of a socket that many can be sent to at once, each frame behind the prefix of its protocol; 0 when this
   * one has to be asked by itself.
   */
  readonly descriptor: number;
  /**
   * Begins the answer.
   * @param bytes what comes before the first tag; copied
   * @returns false when the viewer takes nothing
   */
  begin(bytes: Uint8Array): boolean;
  /** Whether another frame may be begun: a front end holds bytes of the last one until then. */
  isFree(): boolean;
  /** Whether the answer can be ended well behind the last frame: what a front end holds of it goes out first. */
  canEnd(): boolean;
  /**
   * Sends of a frame what has not been taken.
   * @param frame its bytes from the first on; those that were taken before are not looked at
   * @param skip bytes of the frame, prefix included, that were taken before
   * @param length bytes of the whole frame
   * @returns bytes that were taken now; negative when the viewer is gone
   */
  send(frame: Uint8Array, skip: number, length: number): number;
  /** Of a frame that was sent to many at once only a part was taken: the rest is sent by `send`. */
  brokenOff(): void;
  /** Bytes of a frame of such a length with its prefix. */
  size(length: number): number;
  /** Ends the answer well, behind a whole frame; `goesOn` when the stream does, and can be asked for again. */
  end(sent: number, goesOn: boolean): void;
  /** Cuts the connection. */
  cut(): void;
}

/** What stands before a frame of so many bytes, in each protocol. */
export const FRAME_PREFIX: Readonly<Record<ViewerProtocol, (length: number) => Uint8Array>> = {
  http: chunkPrefix,
  websocket: messagePrefix,
};

/** In the chunked coding, as the front end writes it. */
export function chunkPrefix(length: number): Uint8Array {
  return Buffer.from(`\r\n${length.toString(16)}\r\n`, 'latin1');
}

/** Of an unmasked binary message of one frame (RFC 6455 section 5.2). */
function messagePrefix(length: number): Uint8Array {
  const prefix = Buffer.alloc(length < 126 ? 2 : length < 0x10000 ? 4 : 10);
  prefix[0] = 0x82;
  prefix[1] = length < 126 ? length : length < 0x10000 ? 126 : 127;
  if (prefix.length === 4) prefix.writeUInt16BE(length, 2);
  if (prefix.length === 10) prefix.writeBigUInt64BE(BigInt(length), 2);
  return prefix;
}
