/** One chunk stream: the header that later ones refer to, and the message that comes in. */
export interface ChunkStream {
  type: number;
  streamId: number;
  /** Bytes of the message. */
  length: number;
  /** Milliseconds, modulo 2^32. */
  timestamp: number;
  /** What the last header of type 0, 1 or 2 said: milliseconds since the message before; its timestamp for type 0. */
  delta: number;
  /** Whether that header had an extended timestamp. */
  extended: boolean;
  /** What has come of the message; undefined between messages. */
  body: Buffer | undefined;
  filled: number;
}
