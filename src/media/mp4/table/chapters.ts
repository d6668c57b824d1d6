import { u64 } from '../box/box.js';
import type { BoxWriter } from '../box/box-writer.js';

/**
 * `chpl`, the chapter list that Nero's software put into `udta` and that many players read: version, flags, 4 bytes
 * more from version 1 on, a count in one byte, and for each chapter its beginning in units of 100 ns in 8 bytes and its
 * title behind a byte of length.
 */

const UNITS = 10_000_000;

/** Longest contents of `chpl` that are kept. */
export const CHAPTERS_MAX = 16 * 1024;

interface Chapter {
  readonly start: number;
  readonly title: Uint8Array;
}

/**
 * Writes the chapters of a cut, with times counted from its beginning; the first one is that which is under way there.
 * Writes nothing when `body` is not a chapter list.
 * @param body contents of the box
 * @param start second at which the cut begins
 * @param end second at which it ends
 */
export function writeChapters(writer: BoxWriter, body: Uint8Array, start: number, end: number): void {
  const chapters = parseChapters(body);
  if (chapters === undefined) return;
  const [from, to] = [Math.round(start * UNITS), end * UNITS];
  const left = chapters.filter(
    (chapter, i) => chapter.start < to && (chapters[i + 1]?.start ?? Number.POSITIVE_INFINITY) > from,
  );
  const box = writer.open('chpl');
  writer.bytes(body.subarray(0, headSize(body)));
  writer.u8(left.length);
  for (const chapter of left) {
    writer.u64(Math.max(0, chapter.start - from));
    writer.u8(chapter.title.length);
    writer.bytes(chapter.title);
  }
  writer.close(box);
}

function headSize(body: Uint8Array): number {
  return body[0] === 0 ? 4 : 8;
}

function parseChapters(body: Uint8Array): Chapter[] | undefined {
  let at = headSize(body);
  if (at >= body.length) return undefined;
  const chapters: Chapter[] = [];
  for (let left = body[at++]!; left > 0; left--) {
    const title = at + 9;
    const end = title + (body[at + 8] ?? 0);
    if (title > body.length || end > body.length || body[at]! > 0) return undefined;
    chapters.push({ start: u64(body, at), title: body.subarray(title, end) });
    at = end;
  }
  return chapters;
}
