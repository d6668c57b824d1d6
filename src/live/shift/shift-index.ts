import { closeSync, fstatSync, openSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs';

/** A place of a recording at which a decoder can begin. */
export interface ShiftPoint {
  /** Number of the timeline, which begins anew after weeks. */
  readonly epoch: number;
  /** Timestamp of its tag in the stream, in milliseconds. */
  readonly time: number;
  /** Number of its tag in the ring; -1 when the ring does not have it. */
  readonly sequence: number;
  /** Of its tag in the file, and of the newest headers before it; -1 where there is none. */
  readonly offset: number;
  readonly metadata: number;
  readonly video: number;
  readonly audio: number;
  /** Where the tags of further headers lie in a row, and how many bytes they have. */
  readonly extra: number;
  readonly extraBytes: number;
  /** Flags of the file's header: which tracks there are (Adobe FLV 10.1, section E.2). */
  readonly tracks: number;
}

/** End of a recording's name while it grows. */
export const UNFINISHED = '.part';

/** Where the index of a stream's recording lies: beside its ring, since it lives as long. */
export function shiftIndexOf(ring: string): string {
  return `${ring}.shift`;
}

/*
 * The file: the path of the recording, filled up with zeros; then points, each of 10 numbers, little-endian doubles.
 * One process appends, each point by one call; all others read what is whole.
 */
const HEAD = 4096;
const POINT = 80;

/** Writes where in a recording, while it grows, viewers can begin. */
export class ShiftIndexWriter {
  readonly #path: string;
  readonly #file: number;
  readonly #point = Buffer.alloc(POINT);

  /**
   * @param path taken from an older recording of the stream, whose readers go on with what they have
   * @param recording its path when it is whole
   * @param left so many points that another process has left, behind which this one goes on; none for a new recording
   * @throws Error of the system when it can't be made, or the path is too long
   */
  constructor(path: string, recording: string, left?: number) {
    this.#path = path;
    if (left !== undefined) {
      truncateSync(path, HEAD + left * POINT);
      this.#file = openSync(path, 'a');
      return;
    }
    const head = Buffer.alloc(HEAD);
    if (Buffer.byteLength(recording) >= HEAD) throw new Error(`expected a shorter path than ${recording}`);
    head.write(recording);
    rmSync(path, { force: true });
    this.#file = openSync(path, 'ax', 0o600);
    writeSync(this.#file, head);
  }

  add({ epoch, time, sequence, offset, metadata, video, audio, tracks, extra, extraBytes }: ShiftPoint): void {
    [epoch, time, sequence, offset, metadata, video, audio, tracks, extra, extraBytes].forEach((number, at) => {
      this.#point.writeDoubleLE(number, 8 * at);
    });
    writeSync(this.#file, this.#point);
  }

  /** Nobody goes back in the recording from now on, but who does already. */
  close(): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  /** Lets go of it, for another process. */
  leave(): void {
    closeSync(this.#file);
  }
}

/** Reads it. Points are numbered from 0 and never change. It lies in memory, so that nothing here waits. */
export class ShiftIndex {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(POINT);
  /** Path of the recording when it is whole. */
  readonly recording: string;

  private constructor(file: number) {
    this.#file = file;
    const head = Buffer.alloc(HEAD);
    readSync(file, head, 0, HEAD, 0);
    this.recording = head.subarray(0, head.indexOf(0)).toString();
  }

  /** Undefined when the stream is not recorded, or not in a way that can be read while it grows. */
  static open(path: string): ShiftIndex | undefined {
    try {
      return new ShiftIndex(openSync(path, 'r'));
    } catch {
      return undefined;
    }
  }

  get count(): number {
    return Math.max(0, Math.floor((fstatSync(this.#file).size - HEAD) / POINT));
  }

  /** Undefined when there is no such point yet. */
  point(which: number): ShiftPoint | undefined {
    const bytes = this.#bytes;
    if (readSync(this.#file, bytes, 0, POINT, HEAD + which * POINT) < POINT) return undefined;
    const number = (at: number) => bytes.readDoubleLE(8 * at);
    return {
      ...{ epoch: number(0), time: number(1), sequence: number(2), offset: number(3) },
      ...{ metadata: number(4), video: number(5), audio: number(6), tracks: number(7) },
      ...{ extra: number(8), extraBytes: number(9) },
    };
  }

  /**
   * Number of the last point at `time` or before it, on the timeline of the newest point, whose first one it is when
   * all are later; -1 when there is none.
   */
  find(time: number): number {
    const { count } = this;
    if (count === 0) return -1;
    const { epoch: newest } = this.point(count - 1)!;
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { epoch, time: begins } = this.point(middle)!;
      if (epoch < newest || begins <= time) low = middle + 1;
      else high = middle;
    }
    const found = Math.max(0, low - 1);
    return this.point(found)!.epoch < newest ? low : found;
  }

  close(): void {
    closeSync(this.#file);
  }
}
