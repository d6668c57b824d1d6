/** Kinds of reasons for which a publisher's connection ends; they stand in the log and in the hook's message. */
export type EndReason =
  /** The publisher said that it has finished. */
  | 'finished'
  /** The connection was closed or reset without that. */
  | 'gone'
  /** What came is no RTMP, or breaks its rules. */
  | 'protocol'
  /** More was asked for than one connection may have. */
  | 'limit'
  /** It may not publish. */
  | 'refused'
  /** Nothing came for too long. */
  | 'silent'
  /** Another publisher has taken its stream. */
  | 'replaced'
  /** This server ends, or hands over to another. */
  | 'server';

/** A connection can't go on. The message says what was expected and what was found. */
export class RtmpError extends Error {
  override readonly name = 'RtmpError';

  constructor(
    readonly reason: EndReason,
    message: string,
  ) {
    super(message);
  }
}
