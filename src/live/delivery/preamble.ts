import { fileHeader, HEADER_TAGS, tagHeader, tagsAt, tagTrailer } from '../../media/flv/tag.js';
import type { LiveHeaders } from '../ring/live-tag.js';

/** Flags of a file's header: which tracks there are (Adobe FLV 10.1, section E.2). */
const [HAS_VIDEO, HAS_AUDIO] = [1, 4];

/** The header of the file, which tells the tracks that really come. */
export function flvHeader({ hasVideo, hasAudio }: LiveHeaders): Uint8Array {
  return fileHeader((hasVideo ? HAS_VIDEO : 0) | (hasAudio ? HAS_AUDIO : 0));
}

/** Tags of the headers, with the timestamp of the tag that they come before. */
export function headerTags(headers: LiveHeaders, timestamp: number): Uint8Array {
  const main = HEADER_TAGS.flatMap(([type, name]) => {
    const data = headers[name];
    return data === undefined ? [] : [tagHeader(type, data.length, timestamp), data, tagTrailer(data.length)];
  });
  return Buffer.concat(headers.extra === undefined ? main : [...main, tagsAt(headers.extra, timestamp)]);
}
