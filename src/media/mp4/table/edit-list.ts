import { READ_MAX } from '../../../base/byte-source.js';
import type { MeteredSource } from '../../io/metered-source.js';
import { type Reading, read } from '../../io/reading.js';
import { type Box, boxBody, boxBodySize, u32, u64 } from '../box/box.js';
import type { BoxWriter } from '../box/box-writer.js';
import { broken } from '../box/broken.js';

/** An entry of `elst` (ISO/IEC 14496-12 section 8.6.6). */
export interface Edit {
  /** Units of the movie's timescale. */
  readonly duration: number;
  /** Units of the track's timescale; -1 for an empty edit. */
  readonly media: number;
  /** Whether one moment of the media stands still for the duration (rate 0); otherwise it plays at rate 1. */
  readonly dwell: boolean;
}

/**
 * A stretch of the presentation that shows a stretch of a track's media. Where there is none, the track shows nothing.
 */
export interface Segment {
  /** Seconds of the presentation, `start < end`. */
  readonly start: number;
  readonly end: number;
  /** Composition time of the track's media at `start`, in units of its timescale. */
  readonly media: number;
  /** Whether `media` stands still. */
  readonly dwell: boolean;
}

/** Most edits of a track. */
export const EDITS_MAX = 1024;
/** Nanoseconds that an edit costs; most of that in each plan, which looks at the edits of all tracks at once. */
const EDIT_WORK = 100_000;

/**
 * Reads `elst`.
 * @throws EdgeError `unplayable` when it is malformed, too long, or has a rate other than 0 and 1
 */
export function* readEdits(source: MeteredSource, box: Box): Reading<Edit[]> {
  const size = boxBodySize(box);
  if (size < 8 || size > READ_MAX) throw broken(`box "elst" has ${size} bytes`);
  const bytes = yield* read(source, boxBody(box), size);
  const wide = bytes[0] === 1;
  const entrySize = wide ? 20 : 12;
  // Some writers count more edits than they write; players read those that are there.
  const count = Math.min(u32(bytes, 4), Math.floor((size - 8) / entrySize));
  if (count > EDITS_MAX) throw broken(`box "elst" has ${count} edits, and ${EDITS_MAX} are the limit`);
  source.spend(count * EDIT_WORK);
  const edits: Edit[] = [];
  for (let i = 0, at = 8; i < count; i++, at += entrySize) {
    const duration = wide ? u64(bytes, at) : u32(bytes, at);
    const empty = u32(bytes, at + entrySize - 8) === 0xffff_ffff && (!wide || u32(bytes, at + 8) === 0xffff_ffff);
    const media = empty ? -1 : wide ? u64(bytes, at + 8) : u32(bytes, at + 4);
    const rate = u32(bytes, at + entrySize - 4);
    if (!wide && media > 0x7fff_ffff) throw broken('box "elst" has a negative media time');
    if (!empty && rate !== 0 && rate !== 0x1_0000) throw broken('its edit list plays at another speed');
    edits.push({ duration, media, dwell: !empty && rate === 0 });
  }
  return edits;
}

/**
 * The presentation of a track. What an edit shows past the end of the media is left out, since the samples know better
 * than the header; a last edit without duration goes on to the end of the media.
 * @param movieScale units per second of the edits' durations
 * @param timescale units per second of the media
 * @param mediaEnd composition time at which the last sample ends
 */
export function segmentsOf(edits: readonly Edit[], movieScale: number, timescale: number, mediaEnd: number): Segment[] {
  if (edits.length === 0) return mediaEnd > 0 ? [{ start: 0, end: mediaEnd / timescale, media: 0, dwell: false }] : [];
  const segments: Segment[] = [];
  let position = 0;
  for (const [i, { duration, media, dwell }] of edits.entries()) {
    const start = position / movieScale;
    const length = duration / movieScale;
    position += duration;
    if (media < 0 || media >= mediaEnd) continue;
    const left = (mediaEnd - media) / timescale;
    const toEnd = duration === 0 && i === edits.length - 1;
    const shown = dwell ? length : toEnd ? left : Math.min(length, left);
    if (shown > 0) segments.push({ start, end: start + shown, media, dwell });
  }
  return segments;
}

/** The part of the presentation in `[start, end)`, still counted from the beginning of the source's. */
export function clipSegments(segments: readonly Segment[], start: number, end: number, timescale: number): Segment[] {
  const clipped: Segment[] = [];
  for (const segment of segments) {
    const from = Math.max(segment.start, start);
    const to = Math.min(segment.end, end);
    if (to - from < 1e-9) continue;
    clipped.push(segment.dwell ? { ...segment, start: from, end: to } : playFrom(segment, from, to, timescale));
  }
  return clipped;
}

/**
 * The segment between two seconds of it. Media times are whole ticks: it begins with the first tick at or after
 * `start`, so that nothing is presented at another time than before; when there is none before `end`, with the tick
 * under way.
 */
function playFrom(segment: Segment, start: number, end: number, timescale: number): Segment {
  const elapsed = Math.max(0, start - segment.start) * timescale;
  const skipped = Math.ceil(elapsed - 0.01);
  const later = start + Math.max(0, skipped - elapsed) / timescale;
  if (end - later > 1e-9) return { start: later, end, media: segment.media + skipped, dwell: false };
  return { start, end, media: segment.media + Math.floor(elapsed), dwell: false };
}

/**
 * Edits that present the segments. Boundaries are rounded to the movie's timescale one by one, so that no error adds
 * up.
 * @param origin second of the segments at which the presentation begins
 * @param mediaOrigin composition time of the source that is 0 in the media of the answer
 * @param movieScale units per second of durations
 */
export function editsOf(segments: readonly Segment[], origin: number, mediaOrigin: number, movieScale: number): Edit[] {
  const edits: Edit[] = [];
  let position = 0;
  for (const [i, segment] of segments.entries()) {
    const from = Math.max(position, Math.round((segment.start - origin) * movieScale));
    const end = (segment.end - origin) * movieScale;
    const to = Math.max(from + 1, i === segments.length - 1 ? Math.ceil(end - 1e-4) : Math.round(end));
    if (from > position) edits.push({ duration: from - position, media: -1, dwell: false });
    edits.push({ duration: to - from, media: segment.media - mediaOrigin, dwell: segment.dwell });
    position = to;
  }
  return edits;
}

/** Writes `edts` with `elst`; nothing when there are no edits. */
export function writeEdits(writer: BoxWriter, edits: readonly Edit[]): void {
  if (edits.length === 0) return;
  const wide = edits.some(edit => edit.duration > 0xffff_ffff || edit.media > 0x7fff_ffff);
  const edts = writer.open('edts');
  const elst = writer.openFull('elst', wide ? 1 : 0, 0);
  writer.u32(edits.length);
  for (const { duration, media, dwell } of edits) {
    if (wide) {
      writer.u64(duration);
      writer.i64(media);
    } else {
      writer.u32(duration);
      writer.u32(media);
    }
    writer.u32(dwell ? 0 : 0x1_0000);
  }
  writer.close(elst);
  writer.close(edts);
}
