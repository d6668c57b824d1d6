import { dataSizeOf, headerLengthOf, isTagType, TAG_HEADER, TAG_TRAILER, timestampOf } from '../../media/flv/tag.js';

/** Takes the tags of a stream. */
export type TakeTag = (type: 8 | 9 | 18, timestamp: number, body: Buffer) => void;

/** Most bytes of a tag's data, and of the header of the file. */
const TAG_MAX = 8 * 1024 * 1024;
const HEADER_MAX = 1024;
const FILE_HEADER = 9;

/** Reads FLV as it comes from another server: hostile, like all that comes. */
export class FlvReader {
  readonly #take: TakeTag;
  #pieces: Buffer[] = [];
  #size = 0;
  /** Bytes that have to be there before anything can be read. */
  #wanted = FILE_HEADER;
  #isBegun = false;

  /** @param take bodies belong to the taker */
  constructor(take: TakeTag) {
    this.#take = take;
  }

  /** @throws Error when it is no FLV, or asks for too much */
  push(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    let bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    for (;;) {
      const length = this.#isBegun ? this.#readTag(bytes) : this.#readHeader(bytes);
      if (length === 0) break;
      bytes = bytes.subarray(length);
    }
    this.#pieces = bytes.length === 0 ? [] : [bytes];
    this.#size = bytes.length;
  }

  #readHeader(bytes: Buffer): number {
    if (bytes.length < FILE_HEADER) return 0;
    const length = headerLengthOf(bytes);
    if (bytes.toString('latin1', 0, 3) !== 'FLV' || length < FILE_HEADER || length > HEADER_MAX) {
      throw new Error(`expected FLV, found ${JSON.stringify(bytes.toString('latin1', 0, 16))}`);
    }
    const whole = length + TAG_TRAILER;
    this.#wanted = whole;
    if (bytes.length < whole) return 0;
    this.#isBegun = true;
    this.#wanted = TAG_HEADER;
    return whole;
  }

  /** @returns bytes of the tag; 0 when it is not there yet */
  #readTag(bytes: Buffer): number {
    this.#wanted = TAG_HEADER;
    if (bytes.length < TAG_HEADER) return 0;
    const type = bytes[0]!;
    const size = dataSizeOf(bytes, 0);
    if (!isTagType(type) || size > TAG_MAX) {
      throw new Error(`expected a tag of at most ${TAG_MAX} bytes, found type ${type} with ${size}`);
    }
    const whole = TAG_HEADER + size + TAG_TRAILER;
    this.#wanted = whole;
    if (bytes.length < whole) return 0;
    this.#wanted = TAG_HEADER;
    this.#take((type & 0x1f) as 8 | 9 | 18, timestampOf(bytes, 0), bytes.subarray(TAG_HEADER, whole - TAG_TRAILER));
    return whole;
  }
}
