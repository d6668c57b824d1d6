import { EdgeError } from '../../../base/errors.js';

/** Nanoseconds that it takes to make something of a line, and of each of its characters. */
const [LINE, CHARACTER] = [60, 35];
/** Most bytes of a file of subtitles. */
const SUBTITLES_MAX = 1024 * 1024;

/**
 * The text that bytes stand for: Unicode as their first bytes or their whole tell, else Windows-1252, in which old
 * subtitles are.
 * @returns lines
 */
export function linesOf(bytes: Uint8Array): string[] {
  return decode(bytes)
    .replaceAll('\0', '\ufffd')
    .split(/\r\n|\n|\r/);
}

function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** @throws EdgeError `media_too_large` */
export function checkSubtitleSize(size: number): void {
  if (size > SUBTITLES_MAX) {
    throw new EdgeError(
      'media_too_large',
      `subtitles may have ${SUBTITLES_MAX} bytes, found ${size}: is this a file of subtitles?`,
    );
  }
}

/** Nanoseconds that it takes to make something of a line, about. */
export function lineWork(line: string): number {
  return LINE + CHARACTER * line.length;
}
