/** The way to one viewer, whatever frames it puts tags into. Nothing may be called after the viewer has left. */
export interface ViewerSocket {
  /**
   * Descriptor of a socket that many can be sent to at once, each frame behind the prefix that `chunkPrefix` makes; 0
   * when this one has to be asked by itself.
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
  /**
   * Sends a frame, or what is left of it.
   * @param skip bytes of the frame, prefix included, that were taken before
   * @returns bytes that were taken now; negative when the viewer is gone
   */
  send(frame: Uint8Array, skip: number): number;
  /** Bytes of a frame with its prefix. */
  size(frame: Uint8Array): number;
  /** Ends the answer well, behind a whole frame. */
  end(sent: number): void;
  /** Cuts the connection. */
  cut(): void;
}

/** What stands before a frame of so many bytes in the chunked coding, as the front end writes it. */
export function chunkPrefix(length: number): Uint8Array {
  return Buffer.from(`\r\n${length.toString(16)}\r\n`, 'latin1');
}
