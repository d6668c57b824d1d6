import type { ByteSource } from '../../base/byte-source.js';
import { ForwardWindow } from '../io/forward-window.js';
import type { Reading } from '../io/reading.js';
import { describePayload, PAYLOAD_HEAD, type Payload } from './payload.js';
import { dataSizeOf, isTagType, TAG_HEADER, TAG_TRAILER, timestampOf } from './tag.js';

/**
 * Walks the tags of a file through reads of their headers and little of their data. One walk, one owner.
 */
export class TagReader {
  /** Absolute offset of the current tag; after `next` answered false, where the last whole tag ends. */
  offset: number;
  /** First byte of the tag. */
  type = 0;
  /** Bytes of data. */
  dataSize = 0;
  /** Milliseconds, 0 to 2^32-1. */
  timestamp = 0;
  /**
   * Whether `next` stopped at something that is not a tag. False when it stopped at the end of the file, or at a tag
   * that the file cuts off.
   */
  broken = false;
  #following: number;
  readonly #window: ForwardWindow;

  /**
   * @param offset absolute offset of the first tag
   * @param long whether the walk is long: where the last read had to wait for the origin, the next one asks for as much
   *   as it can
   */
  constructor(
    private readonly source: ByteSource,
    offset: number,
    long = false,
  ) {
    this.#window = new ForwardWindow(source, long);
    this.offset = offset;
    this.#following = offset;
  }

  /** Absolute offset just past the current tag and its trailer. */
  get end(): number {
    return this.#following;
  }

  /** What the first bytes of the current tag's data say. */
  payload(): Payload {
    const { bytes, start } = this.#window;
    const data = this.offset - start + TAG_HEADER;
    return describePayload(this.type, bytes.subarray(data, data + Math.min(PAYLOAD_HEAD, this.dataSize)));
  }

  /** Goes to the next tag; `yield*` it. False when there is no further whole one. */
  *next(): Reading<boolean> {
    const wanted = this.#wanted();
    if (wanted < TAG_HEADER) return this.skip();
    if (!this.#window.has(this.#following, wanted)) yield* this.#window.bring(this.#following, wanted);
    return this.skip();
  }

  /** Whether `skip` will do for the next tag. */
  get isAtHand(): boolean {
    const wanted = this.#wanted();
    return wanted < TAG_HEADER || this.#window.has(this.#following, wanted);
  }

  /** Goes to the next tag, which is at hand. */
  skip(): boolean {
    const at = this.#following;
    this.offset = at;
    if (this.#wanted() < TAG_HEADER) return false;
    const { bytes, start } = this.#window;
    const header = at - start;
    const [type, dataSize] = [bytes[header]!, dataSizeOf(bytes, header)];
    if (!isTagType(type)) {
      this.broken = true;
      return false;
    }
    // The trailer of the last tag is often left out.
    if (at + TAG_HEADER + dataSize > this.source.size) return false;
    this.type = type;
    this.dataSize = dataSize;
    this.timestamp = timestampOf(bytes, header);
    this.#following = Math.min(this.source.size, at + TAG_HEADER + dataSize + TAG_TRAILER);
    return true;
  }

  /** Bytes of the next tag that are looked at. */
  #wanted(): number {
    return Math.min(TAG_HEADER + PAYLOAD_HEAD, this.source.size - this.#following);
  }
}
