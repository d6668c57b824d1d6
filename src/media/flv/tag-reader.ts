import { type ByteSource, READ_MAX } from '../../base/byte-source.js';
import { MeteredSource } from '../io/metered-source.js';
import { type Reading, settle } from '../io/reading.js';
import { describePayload, PAYLOAD_HEAD, type Payload } from './payload.js';
import { dataSizeOf, isTagType, TAG_HEADER, TAG_TRAILER, timestampOf } from './tag.js';

/**
 * Bytes read at once: a header with the head of its data, and often the next small tags; less after a tag that was
 * longer than that.
 */
const WINDOW = 2048;
const SHORT_WINDOW = 256;

/**
 * Walks the tags of a file through small reads of their headers. One walk, one owner.
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
  #window: Uint8Array = new Uint8Array();
  #windowAt = 0;
  #dataHead: Uint8Array = this.#window;
  #waited = false;

  /**
   * @param offset absolute offset of the first tag
   * @param long whether the walk is long: where the last read had to wait for the origin, the next one asks for as much
   *   as it can
   */
  constructor(
    private readonly source: ByteSource,
    offset: number,
    private readonly long = false,
  ) {
    this.offset = offset;
    this.#following = offset;
  }

  /** Absolute offset just past the current tag and its trailer. */
  get end(): number {
    return this.#following;
  }

  /** What the first bytes of the current tag's data say. */
  payload(): Payload {
    return describePayload(this.type, this.#dataHead);
  }

  /** Goes to the next tag; `yield*` it. False when there is no further whole one. */
  *next(): Reading<boolean> {
    const at = this.#following;
    this.offset = at;
    const wanted = Math.min(TAG_HEADER + PAYLOAD_HEAD, this.source.size - at);
    if (wanted < TAG_HEADER) return false;
    if (at < this.#windowAt || at + wanted > this.#windowAt + this.#window.length) {
      yield* this.#fill(at);
    }
    return this.#parse(at);
  }

  *#fill(at: number): Reading<void> {
    if (this.source instanceof MeteredSource && this.source.due) yield* this.source.breathe();
    const near = this.dataSize > WINDOW ? SHORT_WINDOW : WINDOW;
    const length = this.#waited && this.long ? READ_MAX : near;
    const bytes = this.source.read(at, Math.min(length, this.source.size - at));
    this.#waited = !(bytes instanceof Uint8Array);
    this.#window = bytes instanceof Uint8Array ? bytes : yield* settle(bytes);
    this.#windowAt = at;
  }

  #parse(at: number): boolean {
    const header = at - this.#windowAt;
    const [type, dataSize] = [this.#window[header]!, dataSizeOf(this.#window, header)];
    if (!isTagType(type)) {
      this.broken = true;
      return false;
    }
    // The trailer of the last tag is often left out.
    if (at + TAG_HEADER + dataSize > this.source.size) return false;
    this.type = type;
    this.dataSize = dataSize;
    this.timestamp = timestampOf(this.#window, header);
    this.#following = Math.min(this.source.size, at + TAG_HEADER + dataSize + TAG_TRAILER);
    const data = header + TAG_HEADER;
    this.#dataHead = this.#window.subarray(data, data + Math.min(PAYLOAD_HEAD, dataSize));
    return true;
  }
}
