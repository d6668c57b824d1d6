/**
 * FLV tags (Adobe Flash Video File Format 10.1, annex E.4):
 *
 *   u8 type | u24 data size | u24 timestamp | u8 timestamp, upper 8 bits | u24 stream id | data | u32 size of this tag
 *
 * The file before them: `FLV`, version, flags, u32 length of this header, u32 0.
 */

/** Bytes of a tag before its data. */
export const TAG_HEADER = 11;
/** Bytes after the data of each tag, and after the file header: PreviousTagSize. */
export const TAG_TRAILER = 4;

/** The tag types that the standard knows. */
export const AUDIO_TAG = 8;
export const VIDEO_TAG = 9;
export const SCRIPT_TAG = 18;

/** Tags that decoders need before any other, by type and name, in the order in which they are sent. */
export const HEADER_TAGS = [
  [SCRIPT_TAG, 'metadata'],
  [VIDEO_TAG, 'video'],
  [AUDIO_TAG, 'audio'],
] as const;

/**
 * Whether `byte`, the first of a tag, is that of a tag that may stand in a file. The filter bit (encrypted tags) is
 * allowed.
 */
export function isTagType(byte: number): boolean {
  const type = byte & 0x1f;
  return (byte & 0xc0) === 0 && (type === AUDIO_TAG || type === VIDEO_TAG || type === SCRIPT_TAG);
}

/** Unsigned 24-bit number at `at`. */
function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

/** Bytes of the file's header, behind which the first trailer stands. */
export function headerLengthOf(head: Uint8Array): number {
  return u32(head, 5);
}

/** Bytes of the tag before a trailer. */
export function sizeInTrailer(trailer: Uint8Array): number {
  return u32(trailer, 0);
}

/** Unsigned 32-bit number at `at`. */
function u32(bytes: Uint8Array, at: number): number {
  return u24(bytes, at) * 0x100 + bytes[at + 3]!;
}

/** Bytes of data of the tag whose header begins at `at`. */
export function dataSizeOf(bytes: Uint8Array, at: number): number {
  return u24(bytes, at + 1);
}

/** Milliseconds, 0 to 2^32-1, of the tag whose header begins at `at`. */
export function timestampOf(bytes: Uint8Array, at: number): number {
  return bytes[at + 7]! * 0x1000000 + u24(bytes, at + 4);
}

/** Writes the 4 bytes of a timestamp as they stand in a tag header, from offset 4 of the header on. */
export function writeTimestamp(target: Uint8Array, at: number, timestamp: number): void {
  target[at] = timestamp >>> 16;
  target[at + 1] = timestamp >>> 8;
  target[at + 2] = timestamp;
  target[at + 3] = Math.floor(timestamp / 0x1000000);
}

/** The 11 bytes before the data of a tag. */
export function tagHeader(type: number, dataSize: number, timestamp: number): Uint8Array {
  const header = new Uint8Array(TAG_HEADER);
  header[0] = type;
  header[1] = dataSize >>> 16;
  header[2] = dataSize >>> 8;
  header[3] = dataSize;
  writeTimestamp(header, 4, timestamp);
  return header;
}

/** The 4 bytes after the data of a tag: the size of its header and data. */
export function tagTrailer(dataSize: number): Uint8Array {
  const trailer = new Uint8Array(TAG_TRAILER);
  new DataView(trailer.buffer).setUint32(0, TAG_HEADER + dataSize);
  return trailer;
}

/** The file header with the first PreviousTagSize. @param flags bit 0: video, bit 2: audio */
export function fileHeader(flags: number): Uint8Array {
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0);
}

/** Whether a file that begins with `head` calls itself FLV. */
export function isFlv(head: Uint8Array): boolean {
  return head.length >= 9 && head[0] === 0x46 && head[1] === 0x4c && head[2] === 0x56 && headerLengthOf(head) >= 9;
}

/** A copy of whole tags, one after the other, at another time. */
export function tagsAt(tags: Uint8Array, timestamp: number): Uint8Array {
  const copy = new Uint8Array(tags);
  for (let at = 0; at + TAG_HEADER <= copy.length; at += TAG_HEADER + dataSizeOf(copy, at) + TAG_TRAILER) {
    writeTimestamp(copy, at + 4, timestamp);
  }
  return copy;
}
