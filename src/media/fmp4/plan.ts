import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { lastAtMost } from '../../base/last-at-most.js';
import { literal, type Span, source } from '../../virtual-file/span.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { MeteredSource, PLAN_BUDGET } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { readAll } from '../io/reading.js';
import { broken } from '../mp4/box/broken.js';
import type { MediaObject } from '../seek/media.js';
import type { Seek } from '../seek/seek.js';
import { seekEtag } from '../seek/seek-etag.js';
import type { FragmentIndex } from './index.js';
import { type InitChanges, rewriteInit } from './init.js';
import { type FragmentMedia, mediaOfTable } from './media.js';
import { baseDataOffsetsLess } from './patch.js';
import { makeSidx, Subsegments } from './sidx.js';
import { FragmentWalk } from './walk.js';

/** Bytes of the largest `moov` that is rewritten. */
const MOOV_MAX = 8 * 1024 * 1024;
/** Points that are tried, one before the other, until a fragment begins with a sync sample. */
const BACK_MAX = 64;
/** Seconds by which players round the time of a key frame. */
const ROUNDING = 0.001;

/**
 * The fragmented MP4 that begins with the last fragment at or before `seek.start` that begins with a sync sample, and
 * ends before the first one at or after `seek.end`: `ftyp`, `moov`, a `sidx` for what follows, fragments; `yield*` it.
 *
 * Fragments keep their `tfdt`, as in DASH: the timeline is the film's, so players show the film's own time and begin
 * where the first fragment does. An edit list that moved the timeline to 0 is understood by ffmpeg, but Chromium then
 * takes the media time of the edit for priming, and drops as many seconds of sound.
 *
 * @param format name and layout version, for the entity tag
 * @returns undefined when the plain file is the answer
 * @throws EdgeError `range_not_satisfiable`, `unplayable`, `media_too_large`, and whatever the source throws
 */
export function* planFragments(
  index: FragmentIndex,
  object: MediaObject,
  seek: Seek,
  format: string,
): Reading<VirtualFile | undefined> {
  const { base, duration, positions, times, reference, table } = index;
  if (seek.start * reference.timescale >= duration) {
    const length = duration / reference.timescale;
    throw new EdgeError('range_not_satisfiable', `start=${seek.start} is past the end: the file lasts ${length} s`);
  }
  const ticks = (second: number) => base + second * reference.timescale;
  const from = ticks(seek.start + ROUNDING);
  const to = seek.end === undefined ? Number.POSITIVE_INFINITY : ticks(seek.end - ROUNDING);
  const endsAtPoint = to <= times.at(-1)!;
  if (seek.start <= 0 && !endsAtPoint && (!table || to >= base + duration)) return undefined;
  if (index.hasSamples && from < times[0]!) {
    // What begins with the samples of `moov` itself is cut at its end only, where a cut is a part of the file.
    const end = endsAtPoint && !table ? positions[1 + lastAtMost(times, to)]! : index.size;
    return answer(object, [source(0, end)], 0, format, [0, end]);
  }
  const media = table
    ? yield* mediaOfTable({ ...index, table }, object.source, from, to)
    : yield* mediaOfPoints(index, object.source, from, to);
  const end = media.end === undefined ? undefined : media.end / reference.timescale;
  const spans = yield* initSpans(index, object.source, { end, dropSamples: index.hasSamples });
  const { subsegments } = media;
  const sidx = makeSidx({ referenceId: reference.id, timescale: reference.timescale, subsegments });
  if (sidx) spans.push(literal(sidx));
  spans.push(...media.spans(spans.reduce((sum, { length }) => sum + length, 0)));
  return answer(object, spans, Math.max(0, media.start - base) / reference.timescale, format, media.key);
}

/** Fragments of a cut that is a part of the file, from one point up to another. */
function* mediaOfPoints(index: FragmentIndex, bytes: ByteSource, from: number, to: number): Reading<FragmentMedia> {
  const { positions, times, moofs } = index;
  const start = yield* startPoint(index, bytes, Math.max(0, lastAtMost(times, from)));
  const last = Math.max(start.point + 1, Number.isFinite(to) ? 1 + lastAtMost(times, to) : positions.length);
  const [first, limit] = [positions[start.point]!, positions[last] ?? index.end];
  const endTime = times[last] ?? index.base + index.duration;
  const subsegments = new Subsegments(last - start.point);
  for (let point = start.point; point < last; point++) {
    const [offset, time] = [positions[point]!, times[point]!];
    const size = (point + 1 === last ? limit : positions[point + 1]!) - offset;
    const duration = Math.max(0, (point + 1 === last ? endTime : times[point + 1]!) - time);
    subsegments.push(offset, size, time, duration, index.sync);
  }
  const length = limit - first;
  return {
    ...{ start: start.time, end: times[last], subsegments, key: [first, limit] },
    spans: at =>
      moofs === undefined
        ? [source(first, length)]
        : [{ kind: 'patched', length, patch: baseDataOffsetsLess(moofs, first, limit, first - at) }],
  };
}

/**
 * The last point at or before `wanted` at which a fragment begins with a sync sample, and its presentation time in
 * ticks.
 */
function* startPoint(
  index: FragmentIndex,
  bytes: ByteSource,
  wanted: number,
): Reading<{ point: number; time: number }> {
  if (index.seen) return { point: wanted, time: index.times[wanted]! };
  let first: number | undefined;
  for (let point = wanted; point >= 0 && point > wanted - BACK_MAX; point--) {
    const walk = new FragmentWalk(
      MeteredSource.over(bytes, PLAN_BUDGET),
      index,
      index.reference,
      index.positions[point]!,
    );
    const found = yield* walk.next(index.positions[point + 1] ?? index.end);
    if (!found || walk.loose || !walk.timed || walk.absolute !== (index.moofs !== undefined)) {
      throw broken(`a movie fragment was expected at byte ${index.positions[point]}, where its index points`);
    }
    const { time, sync } = walk.fragment!;
    if (sync) return { point, time };
    first ??= time;
  }
  return { point: wanted, time: first! };
}

/** `ftyp` and `moov`: those of the file when nothing in them changes. */
function* initSpans({ fileType, movie }: FragmentIndex, bytes: ByteSource, changes: InitChanges): Reading<Span[]> {
  const spans: Span[] = fileType ? [source(fileType.from, fileType.to - fileType.from)] : [];
  const size = movie.to - movie.from;
  if (changes.end === undefined && !changes.dropSamples) {
    if (fileType?.to === movie.from) return [source(fileType.from, movie.to - fileType.from)];
    return [...spans, source(movie.from, size)];
  }
  if (size > MOOV_MAX) {
    throw new EdgeError(
      'media_too_large',
      `can't cut this file: its movie box has ${size} bytes; ${MOOV_MAX} are the limit`,
    );
  }
  return [...spans, literal(rewriteInit(yield* readAll(bytes, movie.from, size), changes))];
}

function answer(
  object: MediaObject,
  spans: readonly Span[],
  seekActual: number,
  format: string,
  cut: readonly number[],
): VirtualFile {
  return {
    size: spans.reduce((sum, { length }) => sum + length, 0),
    etag: seekEtag(object.etag, format, cut),
    lastModified: object.lastModified,
    contentType: object.contentType,
    spans,
    seekActual,
  };
}
