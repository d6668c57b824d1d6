import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../base/log.js';
import { dataSizeOf, isFlv, isTagType, sizeInTrailer, TAG_HEADER, TAG_TRAILER } from '../../media/flv/tag.js';
import { FlvRecording } from './flv-recording.js';
import { UNFINISHED } from './recording-file.js';

/** Bytes of the file's header with the first trailer. */
const FILE_HEAD = 13;

/**
 * Begins the recording of a stream that begins now: `APP/NAME-20260131T235959Z.flv` in `folder`.
 * @param index where its index for viewers that go back is to lie
 */
export function recordingOf(folder: string, stream: string, log: Log, index?: string): FlvRecording {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  return new FlvRecording(join(folder, `${stream}-${time}.flv`), log, index);
}

/** Finishes the recordings that a process which died has left: what was written of whole tags stays. */
export function finishRecordings(folder: string, log: Log): void {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return;
  }
  for (const name of names.filter(each => each.endsWith(`.flv${UNFINISHED}`))) {
    const file = join(folder, name);
    try {
      if (cutToWholeTags(file)) renameSync(file, file.slice(0, -UNFINISHED.length));
      else unlinkSync(file);
      log.info({ file }, 'a recording that had been cut off is finished');
    } catch (error) {
      log.warn({ file, error }, 'a recording that had been cut off can not be finished');
    }
  }
}

/** @returns whether there is a tag */
function cutToWholeTags(path: string): boolean {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(TAG_HEADER);
    const trailer = Buffer.alloc(TAG_TRAILER);
    readSync(file, head, 0, TAG_HEADER, 0);
    if (!isFlv(head)) return false;
    let whole = FILE_HEAD;
    for (;;) {
      if (readSync(file, head, 0, TAG_HEADER, whole) < TAG_HEADER || !isTagType(head[0]!)) break;
      const end = whole + TAG_HEADER + dataSizeOf(head, 0);
      if (readSync(file, trailer, 0, TAG_TRAILER, end) < TAG_TRAILER || sizeInTrailer(trailer) !== end - whole) break;
      whole = end + TAG_TRAILER;
    }
    if (whole < size) ftruncateSync(file, whole);
    return whole > FILE_HEAD;
  } finally {
    closeSync(file);
  }
}
