import type { Log } from '../../base/log.js';
import { fileHeader, HEADER_TAGS, tagHeader, tagsAt, tagTrailer } from '../../media/flv/tag.js';
import type { LiveHeaders, LiveTag } from '../ring/live-tag.js';
import { ShiftIndexWriter, type ShiftPoint } from '../shift/shift-index.js';
import { RecordingFile } from './recording-file.js';

/** Least milliseconds between places to begin at, of a stream without pictures. */
const SOUND_POINT = 1000;

/** A recording as another process has left it. */
export interface LeftRecording {
  /** Bytes of the file that are whole tags. */
  readonly bytes: number;
  /** The last place to begin at that the file has come to, and how many there are. */
  readonly point: ShiftPoint;
  readonly points: number;
  /** Of its last tag. */
  readonly headers: LiveHeaders;
  /** Timestamp of the stream at which the file begins. */
  readonly start: number;
  /** Latest timestamp of the file. */
  readonly last: number;
}

/** A stream as an FLV file, in which viewers can go back while it grows. */
export class FlvRecording {
  readonly #file: RecordingFile;
  readonly #index: ShiftIndexWriter | undefined;
  #headers: LiveHeaders | undefined;
  /** Where the newest headers lie; -1 where there is none. */
  readonly #places = { metadata: -1, video: -1, audio: -1 };
  /** Where the tags of further headers lie, one after the other. */
  #extra = { extra: -1, extraBytes: 0 };
  /** Timestamp of the stream at which the file begins. */
  #start: number | undefined;
  /** Latest timestamp of the file. */
  #last = 0;
  /** Of the newest place to begin at. */
  #pointTime = Number.NEGATIVE_INFINITY;
  #epoch = 0;
  /** Whether a new epoch has begun and its first tag has not come. */
  #isShifted = false;

  /**
   * @param path of the file when it is whole; its folder is made
   * @param index of the places to begin at, a file that is there while the recording grows; none when left out
   * @param left what another process has left of both, to go on with
   */
  constructor(path: string, log: Log, index?: string, left?: LeftRecording) {
    this.#file = new RecordingFile(path, log, left?.bytes);
    if (left !== undefined) this.#goOn(left);
    if (index === undefined) return;
    try {
      this.#index = new ShiftIndexWriter(index, path, left?.points);
    } catch (error) {
      log.warn({ file: index, error }, 'viewers can not go back in a recording');
    }
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#file.bytes;
  }

  setHeaders(headers: LiveHeaders): void {
    const before = this.#headers;
    this.#headers = headers;
    // It says which tracks there are, and is written when that is known.
    if (before === undefined) this.#file.push(fileHeader(tracksOf(headers)));
    for (const [type, name] of HEADER_TAGS) {
      const body = headers[name];
      if (body === undefined || body === before?.[name]) continue;
      this.#places[name] = this.bytes;
      this.#pushTag(type, this.#last, [body]);
    }
    const { extra } = headers;
    if (extra === undefined || extra === before?.extra) return;
    this.#extra = { extra: this.bytes, extraBytes: extra.length };
    this.#file.push(tagsAt(extra, this.#last));
  }

  /** @param sequence number of the tag in the ring; -1 when that does not have it */
  append({ type, timestamp, keyFrame, body }: LiveTag, sequence: number): void {
    if (this.#headers === undefined) return;
    if (this.#start === undefined) this.#start = timestamp;
    else if (this.#isShifted) this.#start = timestamp - this.#last - 1;
    this.#isShifted = false;
    if (keyFrame || (!this.#headers.hasVideo && timestamp - this.#pointTime >= SOUND_POINT)) {
      this.#point(timestamp, sequence, this.#headers);
    }
    const time = Math.max(0, timestamp - this.#start);
    this.#last = Math.max(this.#last, time);
    this.#pushTag(type, time, body);
  }

  /** The file's own timestamps go on. */
  newEpoch(): void {
    this.#isShifted = true;
    this.#epoch++;
    this.#pointTime = Number.NEGATIVE_INFINITY;
  }

  async close(): Promise<void> {
    this.#index?.close();
    await this.#file.close();
  }

  /** Lets go of it, for another process to go on with by `resumeRecording`. */
  async leave(): Promise<void> {
    this.#index?.leave();
    await this.#file.leave();
  }

  get path(): string {
    return this.#file.path;
  }

  #goOn({ point, headers, start, last }: LeftRecording): void {
    const { metadata, video, audio, extra, extraBytes, epoch, time } = point;
    this.#headers = headers;
    Object.assign(this.#places, { metadata, video, audio });
    this.#extra = { extra, extraBytes };
    this.#start = start;
    this.#last = last;
    this.#epoch = epoch;
    this.#pointTime = time;
  }

  #point(time: number, sequence: number, headers: LiveHeaders): void {
    this.#pointTime = time;
    if (this.#file.hasFailed) return;
    const tracks = tracksOf(headers);
    this.#index?.add({
      epoch: this.#epoch,
      time,
      sequence,
      offset: this.bytes,
      ...this.#places,
      ...this.#extra,
      tracks,
    });
  }

  #pushTag(type: LiveTag['type'], timestamp: number, body: readonly Uint8Array[]): void {
    const size = body.reduce((sum, { length }) => sum + length, 0);
    this.#file.push(tagHeader(type, size, timestamp));
    // The tag's bytes are the caller's.
    for (const piece of body) this.#file.push(Buffer.from(piece));
    this.#file.push(tagTrailer(size));
  }
}

/** Flags of the file's header (Adobe FLV 10.1, section E.2). */
function tracksOf({ hasVideo, hasAudio }: LiveHeaders): number {
  return (hasVideo ? 1 : 0) | (hasAudio ? 4 : 0);
}
