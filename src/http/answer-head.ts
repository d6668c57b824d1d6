/** Bytes of heads that are put together without new memory; nearly all are shorter. */
const USUAL = 8192;

const memory = new Uint8Array(USUAL);
/** The beginnings of `memory`, by their length; made when they are first needed. */
const beginnings: (Uint8Array | undefined)[] = new Array(USUAL + 1);
/** What `memory` begins with. */
let standing: Uint8Array | undefined;

/**
 * The head of an answer, as the front end takes it: in memory of the process that is used for all heads, good until the
 * next call.
 * @param start what it begins with, whose bytes never change
 * @param lines further field lines, a character for each octet
 */
export function answerHead(start: Uint8Array, lines: string): Uint8Array {
  const length = start.length + lines.length;
  if (length > USUAL) return Buffer.concat([start, Buffer.from(lines, 'latin1')]);
  if (start !== standing) {
    memory.set(start);
    standing = start;
  }
  for (let i = 0, at = start.length; at < length; i++, at++) memory[at] = lines.charCodeAt(i);
  let head = beginnings[length];
  if (head === undefined) {
    head = memory.subarray(0, length);
    beginnings[length] = head;
  }
  return head;
}
