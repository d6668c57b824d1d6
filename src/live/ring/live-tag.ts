/** One FLV tag as all viewers get it. */
export interface LiveTag {
  /** Audio, video, script data (Adobe FLV 10.1, section E.4.1). */
  readonly type: 8 | 9 | 18;
  /** Milliseconds since the stream began; never less than before within an epoch, below 2^31. */
  readonly timestamp: number;
  /** The tag's data, behind its 11 bytes of head, in pieces that are copied. */
  readonly body: readonly Uint8Array[];
  /** A decoder can begin at this tag, when it has the headers. */
  readonly keyFrame: boolean;
}

/** What a viewer needs before any other tag: data of FLV tags. A version of them never changes. */
export interface LiveHeaders {
  /** `onMetaData` as viewers get it. */
  readonly metadata?: Uint8Array;
  /** Configuration of the video codec. */
  readonly video?: Uint8Array;
  /** Configuration of the audio codec. */
  readonly audio?: Uint8Array;
  /**
   * Whole tags of further headers, one after the other, whose timestamps don't count: those of further tracks, metadata
   * of colour, places of channels.
   */
  readonly extra?: Uint8Array;
  /** Which tracks really come. */
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
}

/**
 * How a stream stands: `waiting` for another publisher when one went, `ended` for good.
 */
export type LiveState = 'publishing' | 'waiting' | 'ended';
