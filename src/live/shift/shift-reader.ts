import { type FileHandle, open } from 'node:fs/promises';
import {
  dataSizeOf,
  fileHeader,
  HEADER_TAGS,
  TAG_HEADER,
  TAG_TRAILER,
  tagsAt,
  timestampOf,
  writeTimestamp,
} from '../../media/flv/tag.js';
import { type ShiftIndex, type ShiftPoint, UNFINISHED } from './shift-index.js';

/** Most bytes of a frame, but for a larger tag. */
const FRAME = 64 * 1024;
/** Most bytes of a tag that is no header. */
const TAG_MAX = TAG_HEADER + 2 ** 24 + TAG_TRAILER;

/**
 * One viewer's way through a recording that grows: its tags from a point of the index on, with the timestamps that they
 * have in the stream. Holds one frame. Reading waits for the disk; `ready` is called when there is something to take.
 */
export class ShiftReader {
  readonly #index: ShiftIndex;
  readonly #ready: () => void;
  /** Number of the point behind the one that was passed last, and that point as soon as there is one. */
  #nextNumber: number;
  #next: ShiftPoint | undefined;
  #point: ShiftPoint;
  /** Milliseconds that the stream's timestamps are ahead of the file's; known with the first tag behind a point. */
  #ahead: number | undefined;
  #file: FileHandle | undefined;
  #isReading = false;
  #isClosed = false;
  /** Where the next tag begins. */
  #position: number;
  #frame: Uint8Array | undefined;
  /** Header of the file, and headers of the codecs, when they have been read. */
  preamble: Uint8Array | undefined;
  /** It can't be read. */
  hasFailed = false;
  /** Milliseconds of the monotonic clock since when nothing has come; 0 while something does. */
  emptySince = 0;

  /** @param index closed with this @param number of a point of it */
  constructor(index: ShiftIndex, number: number, ready: () => void) {
    this.#index = index;
    this.#ready = ready;
    this.#point = index.point(number)!;
    this.#nextNumber = number + 1;
    this.#position = this.#point.offset;
  }

  /** The point where the next tag to be taken is, when it is one. */
  get point(): ShiftPoint | undefined {
    return this.#frame === undefined && this.#position === this.#point.offset ? this.#point : undefined;
  }

  /** Number in the ring of the tag at the point that was passed last; 0 when that has none. */
  get lastSequence(): number {
    return Math.max(0, this.#point.sequence);
  }

  /** The next tags; undefined when they have to be waited for. */
  take(): Uint8Array | undefined {
    const frame = this.#frame;
    this.#frame = undefined;
    if (frame === undefined) this.request();
    return frame;
  }

  /** Reads what comes next, when nothing is at hand. */
  request(): void {
    if (this.#isReading || this.#isClosed || this.#frame !== undefined) return;
    this.#isReading = true;
    void this.#read();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#frame = undefined;
    if (!this.#isReading) this.#release();
  }

  async #read(): Promise<void> {
    let hasMore = true;
    try {
      this.#file ??= await this.#open();
      if (this.preamble === undefined) {
        this.preamble = await this.#readHeaders(this.#file);
        hasMore = this.preamble !== undefined;
      } else hasMore = await this.#readTags(this.#file);
    } catch {
      this.hasFailed = true;
    }
    this.#isReading = false;
    if (this.#isClosed) {
      this.#release();
      return;
    }
    if (hasMore) this.emptySince = 0;
    else if (this.emptySince === 0) this.emptySince = performance.now();
    if (hasMore) this.#ready();
  }

  /** A recording that another process has finished has its name. */
  async #open(): Promise<FileHandle> {
    const { recording } = this.#index;
    return open(recording + UNFINISHED, 'r').catch(() => open(recording, 'r'));
  }

  #release(): void {
    this.#index.close();
    void this.#file?.close().catch(() => {});
  }

  /** Undefined while they are not on the disk. */
  async #readHeaders(file: FileHandle): Promise<Uint8Array | undefined> {
    const { tracks, time, extra, extraBytes } = this.#point;
    const parts = [fileHeader(tracks)];
    for (const [type, name] of HEADER_TAGS) {
      const offset = this.#point[name];
      if (offset < 0) continue;
      const head = await exactly(file, offset, TAG_HEADER);
      if (head === undefined) return undefined;
      if (head[0] !== type) throw new Error(`expected a tag of type ${type} at ${offset}, found ${head[0]}`);
      const tag = await exactly(file, offset, TAG_HEADER + dataSizeOf(head, 0) + TAG_TRAILER);
      if (tag === undefined) return undefined;
      writeTimestamp(tag, 4, time);
      parts.push(tag);
    }
    if (extra >= 0) {
      const tags = await exactly(file, extra, extraBytes);
      if (tags === undefined) return undefined;
      parts.push(tagsAt(tags, time));
    }
    return Buffer.concat(parts);
  }

  /** @returns whether there is something now */
  async #readTags(file: FileHandle): Promise<boolean> {
    const begin = this.#position;
    let bytes = Buffer.alloc(FRAME);
    let length = await filled(file, bytes, begin);
    if (length < TAG_HEADER) return false;
    const first = TAG_HEADER + dataSizeOf(bytes, 0) + TAG_TRAILER;
    if (first > length) {
      // Either it is not there yet, or larger than a frame.
      if (length < FRAME) return false;
      bytes = Buffer.alloc(Math.min(first, TAG_MAX));
      length = await filled(file, bytes, begin);
      if (length < first) return false;
    }
    // Points are there before what they are about.
    this.#next ??= this.#index.point(this.#nextNumber);
    const end = this.#next === undefined ? length : Math.min(length, this.#next.offset - begin);
    let at = 0;
    while (at + TAG_HEADER <= end) {
      const whole = TAG_HEADER + dataSizeOf(bytes, at) + TAG_TRAILER;
      if (at + whole > end) break;
      const time = timestampOf(bytes, at);
      this.#ahead ??= this.#point.time - time;
      writeTimestamp(bytes, at + 4, Math.max(0, time + this.#ahead));
      at += whole;
    }
    if (at === 0) throw new Error(`expected a tag that ends before the next point, found none at ${begin}`);
    this.#position = begin + at;
    this.#frame = bytes.subarray(0, at);
    if (this.#position === this.#next?.offset) this.#pass(this.#next);
    return true;
  }

  #pass(point: ShiftPoint): void {
    this.#point = point;
    this.#next = this.#index.point(++this.#nextNumber);
    this.#ahead = undefined;
  }
}

/** Reads as many bytes as there are, up to the buffer's. */
async function filled(file: FileHandle, bytes: Buffer, at: number): Promise<number> {
  return (await file.read(bytes, 0, bytes.length, at)).bytesRead;
}

async function exactly(file: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  return (await filled(file, bytes, at)) < length ? undefined : bytes;
}
