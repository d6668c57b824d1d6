import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { type Box, readBox } from '../mp4/box/box.js';
import { BoxScan } from '../mp4/box/box-scan.js';
import { broken } from '../mp4/box/broken.js';
import type { FragmentIndex } from './index.js';
import { type RandomAccess, readMfra, timesOf } from './mfra.js';
import { type FragmentedMovie, readFragmentedMovie, referenceTrack } from './movie.js';
import { MOOF_PATCH_MAX } from './patch.js';
import { readSidx, referenceOf, type Subsegments } from './sidx.js';
import { FragmentSurvey, LEAD } from './survey.js';
import { FragmentWalk, type ReferenceFragment } from './walk.js';

/** Most fragments, and most boxes, that are looked at in one place to see whether an index holds. */
const PART_MAX = 256;
const NEIGHBOURS_MAX = 64;
/** Bytes by which the file may go on after what its `sidx` covers: a small `mfra`, `free` or `mfro` is no media. */
const TAIL_MAX = 8 * 1024 * 1024;

/** What all ways of finding the points need, and what they share. */
interface Context {
  readonly source: MeteredSource;
  readonly movie: FragmentedMovie;
  /** Where the first fragments begin. */
  readonly at: number;
  /** A walk to the first fragment of the reference track. */
  readonly walk: FragmentWalk;
  /** The first fragment of the reference track. */
  readonly first: ReferenceFragment;
}

type Found = Pick<FragmentIndex, 'positions' | 'times' | 'end' | 'seen' | 'sync' | 'moofs' | 'timed' | 'table'> & {
  /** Presentation time at which the reference track ends, ticks. */
  readonly endTime: number;
};

/**
 * Compiles the index of a fragmented MP4: from a `sidx` that covers the file, else from the `mfra` at its end, else
 * from all `moof`; `yield*` it. What the first two claim is compared with the file in a few places, and each plan looks
 * at the fragment that it begins with. They tell nothing of files whose fragments must be chosen one by one, so those
 * are walked.
 * @returns undefined when the file has no `moov` with `mvex`
 * @throws EdgeError `unplayable`, `media_too_large`, and whatever the source throws
 */
export function* compileFragments(source: MeteredSource): Reading<FragmentIndex | undefined> {
  const scan = new BoxScan(source);
  const { fileType, movieBox } = yield* findMovie(scan);
  const movie = movieBox && (yield* readFragmentedMovie(scan, movieBox));
  if (!movieBox || !movie) return undefined;
  const reference = referenceTrack(movie);
  const walk = new FragmentWalk(source, movie, reference, movieBox.end);
  if (!(yield* walk.next(source.size))) throw broken('it has no movie fragments for its first track');
  const context = { source, movie, at: movieBox.end, walk, first: walk.fragment! };
  const found =
    (yield* unlessBroken(fromSidx(context))) ?? (yield* unlessBroken(fromMfra(context))) ?? (yield* fromMoofs(context));
  const { endTime, ...points } = found;
  if (!Number.isSafeInteger(endTime)) throw broken('it ends at a time beyond all bounds');
  const base = Math.min(context.first.time, points.times[0]!);
  return {
    size: source.size,
    fileType: fileType && { from: fileType.offset, to: fileType.end },
    movie: { from: movieBox.offset, to: movieBox.end },
    hasSamples: movie.hasSamples,
    tracks: movie.tracks,
    reference,
    base: movie.hasSamples ? 0 : base,
    duration: Math.max(1, endTime - (movie.hasSamples ? 0 : base)),
    ...points,
  };
}

function* findMovie(scan: BoxScan): Reading<{ fileType?: Box; movieBox?: Box }> {
  const { size } = scan.source;
  let fileType: Box | undefined;
  for (let at = 0; size - at >= 8; ) {
    const box = yield* scan.box(at, size);
    if (box.type === 'ftyp') fileType ??= box;
    if (box.type === 'moov') return { ...(fileType && { fileType }), movieBox: box };
    at = box.end;
  }
  return {};
}

/** Points of the `sidx` of the reference track, when it leads to the end of the file. */
function* fromSidx(context: Context): Reading<Found | undefined> {
  const { source, walk, first } = context;
  if (walk.absolute || walk.indexes.length === 0) return undefined;
  const { id, timescale } = walk.reference;
  let box: Box | undefined;
  for (const candidate of walk.indexes) if ((yield* referenceOf(source, candidate)) === id) box ??= candidate;
  if (!box) return undefined;
  const index = yield* readSidx(source, box);
  const { subsegments } = index;
  const { offsets, sizes, times, durations } = subsegments;
  const last = subsegments.length - 1;
  if (last < 0) return undefined;
  const end = offsets.at(last) + sizes.at(last);
  if (end > source.size || source.size - end > TAIL_MAX || !(yield* isTail(source, end))) return undefined;
  const ticks = (time: number) => Math.round((time * timescale) / index.timescale);
  const marked = pointsOf(subsegments, ticks, true);
  const sync = marked.positions.length > 0;
  const points = sync ? marked : pointsOf(subsegments, ticks, false);
  const calibrated = calibrate(first, points.positions, points.times);
  if (!calibrated || !(yield* isSound(context, points.positions, end))) return undefined;
  return {
    ...calibrated.points,
    endTime: calibrated.shift + ticks(times.at(last) + durations.at(last)),
    ...{ end, sync, seen: false, timed: true, moofs: undefined, table: undefined },
  };
}

/** Where the subsegments begin, and when; only those that say that they begin with an access point, if `marked`. */
function pointsOf(
  { length, offsets, times, saps }: Subsegments,
  ticks: (time: number) => number,
  marked: boolean,
): Pick<Found, 'positions' | 'times'> {
  const points = { positions: new Float64Array(length), times: new Float64Array(length) };
  let count = 0;
  for (let row = 0; row < length; row++) {
    if (marked && saps.at(row) === 0) continue;
    points.positions[count] = offsets.at(row);
    points.times[count++] = ticks(times.at(row));
  }
  return { positions: points.positions.slice(0, count), times: points.times.slice(0, count) };
}

/** Whether no fragment stands between `at` and the end of the file, as far as a few boxes tell. */
function* isTail(source: ByteSource, start: number): Reading<boolean> {
  let at = start;
  for (let count = 0; source.size - at >= 8; count++) {
    const box = yield* readBox(source, at, source.size);
    if (box.type === 'moof' || box.type === 'sidx' || box.type === 'styp' || count === NEIGHBOURS_MAX) return false;
    at = box.end;
  }
  return true;
}

/** Points of the `mfra`. */
function* fromMfra(context: Context): Reading<Found | undefined> {
  const { source, walk, movie, first } = context;
  if (!walk.timed || walk.loose) return undefined;
  const access = yield* readMfra(source);
  if (!access) return undefined;
  const { offsets, times } = alignEntries(access, context);
  if (offsets.at(-1) === undefined) return undefined;
  const calibrated = calibrate(first, offsets, times);
  const moofs = [...new Set(access.entries.map(({ offset }) => offset))];
  if (!calibrated || !(yield* isSound(context, offsets, access.at))) return undefined;
  if (walk.absolute && !(yield* areAll(source, moofs))) return undefined;
  const tail = new FragmentWalk(source, movie, walk.reference, offsets.at(-1)!);
  while (yield* tail.next(access.at)) if (tail.moofs.length > 256) return undefined;
  if (tail.end > access.at || tail.moofs.length === 0 || !tail.timed || tail.loose) return undefined;
  return {
    ...calibrated.points,
    end: tail.end,
    endTime: tail.endTime,
    ...{ seen: false, sync: false, timed: true, table: undefined },
    moofs: walk.absolute ? Float64Array.from(moofs.filter(moof => moof < tail.end)) : undefined,
  };
}

/**
 * The entries of the reference track, each moved forward to the fragments of other tracks that are presented together
 * with it.
 */
function alignEntries({ entries }: RandomAccess, { walk, movie }: Context): { offsets: number[]; times: number[] } {
  const [offsets, times]: [number[], number[]] = [[], []];
  let others: { offset: number; time: number }[] = [];
  for (const { trackId, time, offset } of entries) {
    const track = movie.tracks.find(({ id }) => id === trackId);
    if (!track) continue;
    if (track !== walk.reference) {
      others.push({ offset, time: time / track.timescale });
      continue;
    }
    const companion = others.find(other => other.time >= time / track.timescale - LEAD);
    const position = Math.min(offset, companion?.offset ?? offset);
    others = [];
    if (position > (offsets.at(-1) ?? -1)) {
      offsets.push(position);
      times.push(time);
    }
  }
  return { offsets, times };
}

/** Points of all `moof`, and all fragments, where a cut must choose among them. */
function* fromMoofs({ source, movie, at, walk: { reference, timed } }: Context): Reading<Found> {
  const survey = new FragmentSurvey(source, movie.tracks.length);
  const access = timed ? undefined : yield* readMfra(source);
  const walk = new FragmentWalk(source, movie, reference, at, { survey, ...(access && { claims: timesOf(access) }) });
  while (yield* walk.next(source.size)) {}
  const { points, end, endTime } = walk;
  if (points.positions.length === 0) throw broken('none of its fragments begins with a sync sample');
  const found = {
    positions: Float64Array.from(points.positions),
    times: Float64Array.from(points.times),
    ...{ end, endTime, timed: walk.timed, seen: true, sync: true, moofs: undefined, table: undefined },
  };
  const sideBySide = survey.isSideBySide(points, movie.tracks, movie.tracks.indexOf(reference));
  if (!walk.timed || !sideBySide || !survey.isInPlace(end)) return { ...found, table: survey.table(end) };
  if (!walk.absolute) return found;
  if (walk.largest > MOOF_PATCH_MAX) {
    throw new EdgeError(
      'media_too_large',
      `can't seek in this file: a "moof" of ${walk.largest} bytes has absolute offsets; ${MOOF_PATCH_MAX} are the limit`,
    );
  }
  return { ...found, moofs: walk.moofs.whole() };
}

/**
 * Makes points of claimed offsets and times, which must rise. Claimed times are of the presentation or of the media,
 * depending on the muxer; what the first fragment says decides.
 */
function calibrate(
  first: ReferenceFragment,
  offsets: ArrayLike<number>,
  times: ArrayLike<number>,
): { points: Pick<Found, 'positions' | 'times'>; shift: number } | undefined {
  const count = offsets.length;
  if (count === 0) return undefined;
  for (let i = 1; i < count; i++) if (offsets[i]! <= offsets[i - 1]! || times[i]! < times[i - 1]!) return undefined;
  const begins = offsets[0]! <= first.moof && (offsets[1] ?? Number.POSITIVE_INFINITY) > first.moof;
  const shift = begins ? first.time - times[0]! : 0;
  if (!Number.isSafeInteger(times[count - 1]! + shift)) return undefined;
  return {
    shift,
    points: {
      positions: Float64Array.from(offsets),
      times: Float64Array.from(times, time => Math.max(0, time + shift)),
    },
  };
}

/**
 * Whether the fragments from the first, the middle and the last of the offsets on are such that a cut there is a part
 * of the file: they are there, say their times, have their data behind them, and the same tracks begin together.
 * @param end where the last one ends
 */
function* isSound(context: Context, offsets: ArrayLike<number>, end: number): Reading<boolean> {
  const { source, movie, walk } = context;
  const { reference } = walk;
  let tracks: number | undefined;
  for (const i of new Set([0, offsets.length >> 1, offsets.length - 1])) {
    const part = new FragmentWalk(source, movie, reference, offsets[i]!);
    while (yield* part.next(offsets[i + 1] ?? end)) if (part.moofs.length > PART_MAX) return false;
    const asFirst = part.timed && !part.loose && part.absolute === walk.absolute;
    const time = part.beginnings.get(reference.id);
    tracks ??= part.beginnings.size;
    if (!asFirst || time === undefined || part.beginnings.size !== tracks) return false;
    const together = [...part.beginnings.values()].every(begin => Math.abs(begin - time) <= LEAD);
    if (i > 0 && !together) return false;
  }
  return true;
}

/** Whether `moofs` lists all `moof`, as far as a look at a few neighbours tells. */
function* areAll(source: ByteSource, moofs: readonly number[]): Reading<boolean> {
  for (const i of new Set([0, moofs.length >> 1, moofs.length - 2])) {
    const [from, to] = [moofs[i], moofs[i + 1]];
    if (from === undefined || to === undefined) continue;
    let at = from;
    for (let count = 0; at < to; count++) {
      const box = yield* readBox(source, at, to);
      if ((box.type === 'moof') !== (at === from) || count === NEIGHBOURS_MAX) return false;
      at = box.end;
    }
  }
  return true;
}

/** What a reading comes to, or undefined when it finds that the file is broken. */
function* unlessBroken<T>(reading: Reading<T>): Reading<T | undefined> {
  try {
    return yield* reading;
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'unplayable') return undefined;
    throw error;
  }
}
