import { EdgeError } from '../base/errors.js';
import { native } from '../base/native.js';
import type { BlockReader } from '../cache/read/block-reader.js';
import { sourceAt } from '../virtual-file/gathered.js';
import {
  type GatheredSpan,
  type LiteralSpan,
  PATCH_OUTPUT_MAX,
  PATCH_SOURCE_MAX,
  type PatchedSpan,
  type SourceSpan,
  type Span,
} from '../virtual-file/span.js';

/** A source or literal span with at least this many bytes left goes to the socket by itself, uncopied. */
const LARGE = 8 * 1024;

/** A gathered span is sent from where it lies when so much of it is left, and its pieces have so many bytes each. */
const [SCATTERED, PIECE] = [32 * 1024, 1024];

/** Most bytes that are put together for one send. */
const OUTPUT_MAX = 128 * 1024;

/**
 * Used within one synchronous section at a time, by every response of the process: nothing of it is kept per response.
 */
const patchSource = new Uint8Array(PATCH_SOURCE_MAX);
const output = new Uint8Array(OUTPUT_MAX);

/** The source bytes that `gather` lacks. */
export interface Missing {
  readonly offset: number;
  /** Where the reader means to stop. */
  readonly end: number;
}

/** Whether the bytes of a source span are handed to the socket as they lie in the block, rather than gathered. */
export function goesAlone(span: Span, left: number, isLast: boolean): span is SourceSpan {
  return span.kind === 'source' && (left >= LARGE || isLast);
}

/** Whether pieces are better sent from where they lie than put together, by a socket that can. */
export function goesScattered(span: Span, left: number): span is GatheredSpan {
  if (span.kind !== 'gathered' || left < SCATTERED) return false;
  const { begins } = span;
  return begins[begins.length - 1]! >= PIECE * (begins.length - 1);
}

/** Whether bytes that we made are handed to the socket as they are, rather than gathered. */
export function isLargeLiteral(span: Span, left: number): span is LiteralSpan {
  return span.kind === 'literal' && left >= LARGE;
}

/**
 * Puts what is at hand of a run of small, patched and gathered spans together, so that it leaves in one send.
 * @param at byte of span `index` to begin with
 * @param total bytes of the answer that are left, at least 1
 * @param scatters whether pieces can be sent from where they lie: of such as these no more is put together than must be
 * @returns at least one byte, valid until the next call; or what is missing
 * @throws EdgeError `internal` when a patch or the reader breaks its bounds
 */
export function gather(
  reader: BlockReader,
  spans: readonly Span[],
  index: number,
  at: number,
  total: number,
  scatters: boolean,
): Uint8Array | Missing {
  const first = spans[index]!;
  const isFew = scatters && goesScattered(first, first.length - at);
  const limit = Math.min(isFew ? SCATTERED : output.length, total);
  let filled = 0;
  while (filled < limit) {
    const span = spans[index]!;
    const left = Math.min(span.length - at, total - filled);
    if (filled > 0 && (isOnItsOwn(span, left) || (scatters && goesScattered(span, left)))) break;
    const room = Math.min(left, limit - filled);
    const put = putSpan(reader, span, at, left, output.subarray(filled, filled + room));
    if (typeof put !== 'number') {
      if (filled === 0) return put;
      break;
    }
    filled += put;
    at += put;
    if (at === span.length) {
      index++;
      at = 0;
    }
  }
  return output.subarray(0, filled);
}

/** Whether a span is not put together with what comes before it. */
function isOnItsOwn(span: Span, left: number): boolean {
  return span.kind === 'sectioned' || goesAlone(span, left, false) || isLargeLiteral(span, left);
}

/**
 * Puts bytes of a span from `at` on into `target`, at most as many as it holds. Returns how many, at least 1, or what
 * is missing.
 */
function putSpan(reader: BlockReader, span: Span, at: number, left: number, target: Uint8Array): number | Missing {
  switch (span.kind) {
    case 'literal':
      target.set(span.bytes.subarray(at, at + target.length));
      return target.length;
    case 'source':
      return putSource(reader, span.offset + at, span.offset + at + left, target);
    case 'patched':
      return putPatched(reader, span, at, left, target.subarray(0, PATCH_OUTPUT_MAX));
    case 'gathered':
      return putGathered(reader, span, at, left, target);
    case 'sectioned':
      throw new EdgeError('internal', 'sections are to be sent before they are made');
  }
}

function putSource(reader: BlockReader, offset: number, end: number, target: Uint8Array): number | Missing {
  const chunk = readChecked(reader, offset, end);
  if (chunk === undefined) return { offset, end };
  const count = Math.min(chunk.length, target.length);
  target.set(count < chunk.length ? chunk.subarray(0, count) : chunk);
  reader.release();
  return count;
}

function putGathered(
  reader: BlockReader,
  span: GatheredSpan,
  at: number,
  left: number,
  target: Uint8Array,
): number | Missing {
  const end = sourceAt(span, at + left - 1) + 1;
  const gathered = reader.gather(span, span.from + at, end, target);
  if (gathered > 0) return gathered;
  const offset = sourceAt(span, at);
  const chunk = readChecked(reader, offset, end);
  if (chunk === undefined) return { offset, end };
  const count = native.gatherPieces(span.offsets, span.begins, span.from + at, chunk, offset, target);
  reader.release();
  if (!(count > 0))
    throw new EdgeError('internal', `a gathered span has no byte ${at} at byte ${offset} of its object`);
  return count;
}

function putPatched(
  reader: BlockReader,
  { patch }: PatchedSpan,
  at: number,
  left: number,
  target: Uint8Array,
): number | Missing {
  const begin = patch.sourceFrom(at);
  const length = patch.sourceTo(at + target.length) - begin;
  const end = patch.sourceTo(at + left);
  if (!(length >= 0 && length <= PATCH_SOURCE_MAX && begin + length <= end)) {
    throw new EdgeError('internal', `a patch asks for ${length} bytes of source, expected at most ${PATCH_SOURCE_MAX}`);
  }
  const chunk = readChecked(reader, begin, end);
  if (chunk === undefined) return { offset: begin, end };
  try {
    // Unless the bytes lie in several blocks, they are patched from where they are.
    if (chunk.length >= length) {
      patch.apply(chunk.subarray(0, length), at, at + target.length, target);
      return target.length;
    }
  } finally {
    reader.release();
  }
  for (let got = 0; got < length; ) {
    const put = putSource(reader, begin + got, end, patchSource.subarray(got, length));
    if (typeof put !== 'number') return put;
    got += put;
  }
  patch.apply(patchSource.subarray(0, length), at, at + target.length, target);
  return target.length;
}

/**
 * `reader.read`, whose answer is not trusted to be of the right length.
 * @throws EdgeError `internal`
 */
export function readChecked(reader: BlockReader, offset: number, end: number): Uint8Array | undefined {
  const chunk = reader.read(offset, end);
  if (chunk === undefined) return undefined;
  if (chunk.length === 0 || chunk.length > end - offset) {
    reader.release();
    throw new EdgeError('internal', `a block reader gave ${chunk.length} bytes, expected 1 to ${end - offset}`);
  }
  return chunk;
}
