import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../base/log.js';
import { dataSizeOf, isFlv, isTagType, sizeInTrailer, TAG_HEADER, TAG_TRAILER } from '../../media/flv/tag.js';
import { UNFINISHED } from '../shift/shift-index.js';
import { FlvRecording } from './flv-recording.js';
import { Fmp4Recording } from './fmp4-recording.js';

/** Bytes of a box's length and type. */
const BOX_HEAD = 8;
/** Bytes of the file's header with the first trailer. */
const FILE_HEAD = 13;

/** How streams are recorded. */
export interface RecordingOptions {
  /** Folder of the recordings. */
  readonly folder: string;
  readonly format: 'flv' | 'fmp4';
  /** Where the index for viewers that go back is to lie, which FLV has; none when left out. */
  readonly index?: string;
}

/**
 * Begins the recording of a stream that begins now: `APP/NAME-20260131T235959Z.flv` in `folder`. Fragmented MP4 is
 * called `.mp4`, and further files of other codecs `…Z-2.mp4` and so on.
 */
export function recordingOf(stream: string, { folder, format, index }: RecordingOptions, log: Log) {
  const path = freePath(join(folder, stream), `.${format === 'flv' ? 'flv' : 'mp4'}`);
  if (format === 'flv') return new FlvRecording(`${path}.flv`, log, index);
  return new Fmp4Recording(number => `${path}${number === 0 ? '' : `-${number + 1}`}.mp4`, log);
}

/** Paths with which recordings have begun in the second at hand: their files may not be there yet. */
const begun = { time: '', paths: new Set<string>() };

/** The path of a recording but for its ending; of several in one second the second one is `…Z.1`. */
function freePath(stream: string, ending: string): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  if (begun.time !== time) begun.paths.clear();
  begun.time = time;
  for (let number = 0; ; number++) {
    const path = `${stream}-${time}${number === 0 ? '' : `.${number}`}`;
    if (begun.paths.has(path) || [ending, ending + UNFINISHED].some(end => existsSync(path + end))) continue;
    begun.paths.add(path);
    return path;
  }
}

/**
 * Finishes the recordings that a process which died has left: what was written of whole tags stays.
 * @param resumed paths of those that are gone on with
 */
export function finishRecordings(folder: string, log: Log, resumed: ReadonlySet<string> = new Set()): void {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return;
  }
  const wholes = { flv: wholeTags, mp4: wholeFragments };
  for (const name of names) {
    const [, format] = /\.(flv|mp4)\.part$/.exec(name) ?? [];
    if (format === undefined) continue;
    const file = join(folder, name);
    if (resumed.has(file.slice(0, -UNFINISHED.length))) continue;
    try {
      if (cutTo(file, wholes[format as keyof typeof wholes])) renameSync(file, file.slice(0, -UNFINISHED.length));
      else unlinkSync(file);
      log.info({ file }, 'a recording that had been cut off is finished');
    } catch (error) {
      log.warn({ file, error }, 'a recording that had been cut off can not be finished');
    }
  }
}

/** Bytes of a file that are whole, and whether there are frames among them. */
interface Whole {
  readonly bytes: number;
  readonly hasMedia: boolean;
}

/** Cuts a file down to what is whole. @returns whether there are frames */
function cutTo(path: string, wholeOf: (file: number, size: number) => Whole): boolean {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    const { bytes, hasMedia } = wholeOf(file, size);
    if (hasMedia && bytes < size) ftruncateSync(file, bytes);
    return hasMedia;
  } finally {
    closeSync(file);
  }
}

function wholeTags(file: number): Whole {
  const head = Buffer.alloc(TAG_HEADER);
  const trailer = Buffer.alloc(TAG_TRAILER);
  readSync(file, head, 0, TAG_HEADER, 0);
  if (!isFlv(head)) return { bytes: 0, hasMedia: false };
  let bytes = FILE_HEAD;
  for (;;) {
    if (readSync(file, head, 0, TAG_HEADER, bytes) < TAG_HEADER || !isTagType(head[0]!)) break;
    const end = bytes + TAG_HEADER + dataSizeOf(head, 0);
    if (readSync(file, trailer, 0, TAG_TRAILER, end) < TAG_TRAILER || sizeInTrailer(trailer) !== end - bytes) break;
    bytes = end + TAG_TRAILER;
  }
  return { bytes, hasMedia: bytes > FILE_HEAD };
}

function wholeFragments(file: number, size: number): Whole {
  const head = Buffer.alloc(BOX_HEAD);
  let bytes = 0;
  for (let at = 0; readSync(file, head, 0, BOX_HEAD, at) === BOX_HEAD; ) {
    const length = head.readUInt32BE(0);
    at += length;
    if (length < BOX_HEAD || at > size) break;
    // A fragment is whole with its data; what this edge writes is never larger than a box may be.
    if (head.toString('latin1', 4) === 'mdat') bytes = at;
  }
  return { bytes, hasMedia: bytes > 0 };
}
