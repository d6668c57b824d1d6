import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { frameDataOf } from '../../media/flv/frame-data.js';
import { AUDIO_TAG, SCRIPT_TAG, VIDEO_TAG } from '../../media/flv/tag.js';
import { initOfTracks } from '../../media/packaging/init-segment.js';
import type { LiveHeaders, LiveTag } from '../ring/live-tag.js';
import { RandomAccessTable } from './random-access.js';
import { RecordedTrack } from './recorded-track.js';
import { RecordingFile } from './recording-file.js';

/** Milliseconds of frames that become a fragment at the latest, and bytes. */
const FRAGMENT = 1000;
const FRAGMENT_BYTES = 4 * 1024 * 1024;

/** A file of the recording, and what it is made of. */
interface Part {
  readonly file: RecordingFile;
  readonly tracks: ReadonlyMap<number, RecordedTrack>;
  readonly table: RandomAccessTable;
}

/**
 * A stream as fragmented MP4 (ISO/IEC 14496-12 section 8.8). A fragment begins with each key frame, and lasts a second
 * at most; what is written of it is whole. Other codecs begin another file.
 */
export class Fmp4Recording {
  readonly #path: (number: number) => string;
  readonly #log: Log;
  #part: Part | undefined;
  #headers: LiveHeaders | undefined;
  #parts = 0;
  #fragments = 0;
  /** Timestamp of the stream at which the file at hand begins. */
  #start: number | undefined;
  #last = 0;
  #isShifted = false;
  readonly #closing: Promise<void>[] = [];

  /** @param path of a file, numbered from 0, when it is whole */
  constructor(path: (number: number) => string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  setHeaders(headers: LiveHeaders): void {
    const before = this.#headers;
    this.#headers = headers;
    const isSame = (['video', 'audio', 'hasVideo', 'hasAudio'] as const).every(
      each => headers[each] === before?.[each],
    );
    if (isSame) return;
    this.#finish();
    const tracks = new Map<number, RecordedTrack>();
    this.#addTrack(tracks, VIDEO_TAG, headers.hasVideo, headers.video);
    this.#addTrack(tracks, AUDIO_TAG, headers.hasAudio, headers.audio);
    if (tracks.size === 0) return;
    const file = new RecordingFile(this.#path(this.#parts++), this.#log);
    file.push(initOfTracks([...tracks.values()].map(({ description }) => description)));
    this.#part = { file, tracks, table: new RandomAccessTable() };
    this.#start = undefined;
    this.#fragments = 0;
    this.#last = 0;
  }

  append({ type, timestamp, body }: LiveTag): void {
    if (type === SCRIPT_TAG || this.#part === undefined) return;
    const { tracks } = this.#part;
    const track = tracks.get(type);
    if (track === undefined) return;
    const data = body.length === 1 ? body[0]! : Buffer.concat(body);
    const frame = frameDataOf(type, data);
    if (frame === undefined) return;
    // A file begins with a picture that can be decoded.
    const video = tracks.get(VIDEO_TAG);
    if (this.#start === undefined && video !== undefined && !(type === VIDEO_TAG && frame.isKey)) return;
    if (this.#start === undefined) this.#start = timestamp;
    else if (this.#isShifted) this.#start = timestamp - this.#last - 1;
    this.#isShifted = false;
    const time = Math.max(0, timestamp - this.#start);
    this.#last = Math.max(this.#last, time);
    if (type === VIDEO_TAG && frame.isKey && !track.isEmpty) this.#cut(time);
    track.add(data, frame, time);
    const waiting = [...tracks.values()].reduce((sum, each) => sum + each.waiting, 0);
    if (track.span >= FRAGMENT || waiting >= FRAGMENT_BYTES) this.#cut();
  }

  /** The file's own timestamps go on. */
  newEpoch(): void {
    this.#isShifted = true;
  }

  async close(): Promise<void> {
    this.#finish();
    await Promise.all(this.#closing);
  }

  /** Another process begins another file. */
  leave(): Promise<void> {
    return this.close();
  }

  #addTrack(tracks: Map<number, RecordedTrack>, type: 8 | 9, comes: boolean, header: Uint8Array | undefined): void {
    if (!comes) return;
    const wish = 'live.record.format: flv records everything';
    try {
      if (header === undefined) throw new EdgeError('unplayable', 'it has no configuration');
      tracks.set(type, new RecordedTrack(type, header));
    } catch (error) {
      this.#log.warn({ error, track: type === VIDEO_TAG ? 'video' : 'sound' }, `a track is not recorded; ${wish}`);
    }
  }

  /** Writes what waits. @param keyTime when the picture comes at which another fragment begins */
  #cut(keyTime?: number): void {
    this.#write(this.#part!, type => (type === VIDEO_TAG ? keyTime : undefined));
  }

  /** Writes a fragment of each track. @param endOf when its last frame ends, unless that waits for the next */
  #write({ tracks, file, table }: Part, endOf: (type: number) => number | undefined): void {
    let id = 0;
    for (const [type, track] of tracks) {
      id++;
      const fragment = track.take(this.#fragments + 1, id, endOf(type));
      if (fragment === undefined) continue;
      this.#fragments++;
      if (id === 1 && fragment.begins !== undefined) table.add(fragment.begins, file.bytes);
      file.push(fragment.bytes);
    }
  }

  #finish(): void {
    const part = this.#part;
    if (part === undefined) return;
    this.#part = undefined;
    this.#write(part, () => this.#last);
    part.file.push(part.table.box());
    this.#closing.push(part.file.close());
  }
}
