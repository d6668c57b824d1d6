import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import { literal, type Span, source } from '../../virtual-file/span.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { MeteredSource, PLAN_BUDGET } from '../io/metered-source.js';
import { readAll } from '../io/read-all.js';
import type { Reading } from '../io/reading.js';
import { lastAtMost } from '../io/search.js';
import { broken } from '../mp4/table/table.js';
import type { Seek } from '../seek/format.js';
import type { MediaObject } from '../seek/media.js';
import { seekEtag } from '../seek/seek-etag.js';
import type { FragmentIndex } from './index.js';
import { type InitChanges, rewriteInit } from './init.js';
import { baseDataOffsetsLess } from './patch.js';
import { makeSidx } from './sidx.js';
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
  const { base, duration, positions, times, reference } = index;
  const ticks = (second: number) => base + second * reference.timescale;
  if (seek.start * reference.timescale >= duration) {
    const length = duration / reference.timescale;
    throw new EdgeError('range_not_satisfiable', `start=${seek.start} is past the end: the file lasts ${length} s`);
  }
  const wanted = lastAtMost(times, ticks(seek.start + ROUNDING));
  const to = seek.end === undefined ? positions.length : 1 + lastAtMost(times, ticks(seek.end - ROUNDING));
  if (seek.start <= 0 && to === positions.length) return undefined;
  if (index.hasSamples && wanted < 0)
    return to === positions.length ? undefined : headOfFile(index, object, to, format);
  const start = yield* startPoint(index, object.source, Math.max(0, wanted));
  const cut = {
    from: start.point,
    to: Math.max(start.point + 1, to),
    seekActual: Math.max(0, start.time - base) / reference.timescale,
  };
  return yield* assemble(index, object, cut, format);
}

/** What begins with the samples of `moov` itself is cut at its end only. */
function headOfFile(index: FragmentIndex, object: MediaObject, to: number, format: string): VirtualFile {
  const end = index.positions[to]!;
  return answer(object, [source(0, end)], 0, format, [0, end]);
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
    walk.setClock(index.times[point]! + index.reference.shift);
    if (!(yield* walk.next(index.positions[point + 1] ?? index.end))) {
      throw broken(`a movie fragment was expected at byte ${index.positions[point]}, where its index points`);
    }
    const { time, sync } = walk.fragment!;
    if (sync) return { point, time };
    first ??= time;
  }
  return { point: wanted, time: first! };
}

/** A cut from point `from` up to point `to`, which is the number of points for a cut that goes on to the end. */
interface Cut {
  readonly from: number;
  readonly to: number;
  /** Seconds from `base`. */
  readonly seekActual: number;
}

function* assemble(index: FragmentIndex, object: MediaObject, cut: Cut, format: string): Reading<VirtualFile> {
  const { positions, times, reference } = index;
  const [from, to] = [positions[cut.from]!, positions[cut.to] ?? index.end];
  const endTime = times[cut.to] ?? index.base + index.duration;
  const subsegments = Array.from({ length: cut.to - cut.from }, (_, i) => {
    const [offset, time] = [positions[cut.from + i]!, times[cut.from + i]!];
    const last = cut.from + i + 1 === cut.to;
    const size = (last ? to : positions[cut.from + i + 1]!) - offset;
    const duration = Math.max(0, (last ? endTime : times[cut.from + i + 1]!) - time);
    return { offset, size, time, duration, sap: index.sync };
  });
  // Without decoding times players count from 0, and an index of the film's own times would lie.
  const sidx = index.timed
    ? makeSidx({ referenceId: reference.id, timescale: reference.timescale, subsegments })
    : undefined;
  const spans = yield* initSpans(index, object.source, {
    end: cut.to < positions.length ? endTime / reference.timescale : undefined,
    dropSamples: index.hasSamples,
  });
  if (sidx) spans.push(literal(sidx));
  const mediaAt = spans.reduce((sum, { length }) => sum + length, 0);
  const length = to - from;
  if (index.moofs === undefined) spans.push(source(from, length));
  else spans.push({ kind: 'patched', length, patch: baseDataOffsetsLess(index.moofs, from, to, from - mediaAt) });
  return answer(object, spans, cut.seekActual, format, [from, to]);
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
  cut: number[],
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
