import { EdgeError } from '../../base/errors.js';
import { SAMPLE_DURATION, SAMPLE_SIZE } from '../fmp4/moof.js';
import type { MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { BoxScan } from '../mp4/box/box-scan.js';
import { type Candidate, CHAPTERS, candidatesOf } from './candidates.js';
import type { KeyFrames, MediaPackage, OmittedTrack, PackageTrack, Segmentation } from './media-package.js';
import { type Boundaries, type CutTrack, RowBuilder, type RowRules } from './segment-rows.js';
import { RunBuffer, type SourceMovie } from './source-track.js';
import { describeTracks, type TrackDescription } from './track-description.js';
import { clipOf, type TrackWindow, wholeOf, zeroOf } from './track-window.js';

/** Samples taken in at once: what is known of them stays in the processor's cache. */
const BATCH = 16_384;
/** Bytes of memory that a batch takes. */
const BATCH_BYTES = BATCH * 16;
/** Room for a batch that nobody uses: to make it anew costs the collector more than most films take. */
let spare: RunBuffer | undefined;
/** The part of the shortest last segment that sound beside video may have as its last. */
const FOLLOWER = 1 / 4;

/** A package, and what was come by when it was made. */
export interface CompiledPackage {
  readonly pack: MediaPackage;
  /** Of each track; undefined of those that have nothing else. */
  readonly keyFrames: readonly (KeyFrames | undefined)[];
}

type CompiledTrack = Omit<PackageTrack, 'index'> & Pick<CutTrack, 'keyFrames'>;

/**
 * Cuts an object: its tracks, all of whose samples are looked at once; `yield*` it.
 * @throws EdgeError `unplayable` when it can't be packaged, `range_not_satisfiable` when a clip begins past the end,
 *   `media_too_large`, and whatever the source throws
 */
export function* compilePackage(
  source: MeteredSource,
  movie: SourceMovie,
  cut: Segmentation,
): Reading<CompiledPackage> {
  source.keep(BATCH_BYTES);
  const described = yield* describeTracks(new BoxScan(source), movie.movieAt);
  const { candidates, omitted } = yield* candidatesOf(source, movie, described);
  const { windows, zero } = yield* windowsOf(source, candidates, omitted, cut);
  const leader = leaderOf(windows);
  const lost = leader?.candidate.kind === 'video' ? undefined : lostVideo(movie, omitted, described);
  if (lost !== undefined) throw refused(`of its video, track ${lost.id}, ${lost.reason}`);
  if (leader === undefined) throw refused(omitted[0]?.reason ?? 'it has neither pictures nor sound');

  const buffer = spare ?? new RunBuffer(BATCH, false);
  spare = undefined;
  const cutAt = (places: Float64Array, from: number): Boundaries => ({ places, from, length: cut.target });
  const boundaries = cut.boundaries ? cutAt(cut.boundaries, Number.POSITIVE_INFINITY) : cutAt(new Float64Array(), 0);
  const led = yield* cutTrack(source, leader, buffer, zero, boundaries, cut.shortest * cut.target);
  const begins = led.segments.begins.subarray(1, led.segments.count).map(begin => begin / led.timescale);

  const tracks: PackageTrack[] = [];
  const keyFrames: (KeyFrames | undefined)[] = [];
  const add = ({ keyFrames: found, ...track }: CompiledTrack) => {
    tracks.push({ ...track, index: tracks.length });
    keyFrames.push(found);
  };
  for (const window of windows) {
    if (window === leader) {
      add(led);
      continue;
    }
    const follows = cutAt(begins, led.end / led.timescale);
    const shortest = cut.shortest * cut.target * FOLLOWER;
    const track = yield* unlessBroken(
      cutTrack(source, window, buffer, zero, follows, shortest),
      window.candidate,
      omitted,
    );
    if (track !== undefined) add(track);
  }
  spare = buffer;
  const duration = tracks.reduce((latest, { end, timescale }) => Math.max(latest, end / timescale), 0);
  return { pack: { size: source.size, tracks, duration, origin: zero, omitted }, keyFrames };
}

/** What of each track is packaged, and the second of the source's presentation that is 0 in the package. */
function* windowsOf(
  source: MeteredSource,
  candidates: readonly Candidate[],
  omitted: OmittedTrack[],
  { lead = 0, start, end }: Segmentation,
): Reading<{ windows: TrackWindow[]; zero: number }> {
  const whole: TrackWindow[] = [];
  for (const candidate of candidates) {
    const window = yield* unlessBroken(wholeOf(source, candidate), candidate, omitted);
    if (window !== undefined) whole.push(window);
  }
  const zero = zeroOf(whole) - lead;
  if (start === undefined && end === undefined) return { windows: whole, zero };
  const leader = leaderOf(whole);
  if (leader === undefined) return { windows: whole, zero };
  const [from, to] = [zero + (start ?? 0), zero + (end ?? Number.POSITIVE_INFINITY)];
  const first = yield* clipOf(source, leader, from, to);
  if (first === undefined) {
    const length = whole.reduce((last, { candidate: { presentation } }) => Math.max(last, presentation.end), 0) - zero;
    throw new EdgeError('range_not_satisfiable', `start=${start} is past the end: the file lasts ${length} s`);
  }
  // Where no key frame comes before it, what other tracks present until the first one is part of the clip.
  const begin = Math.min(first.begin, Math.max(from, zero));
  const windows: TrackWindow[] = [];
  for (const window of whole) {
    const clip =
      window === leader ? first : yield* unlessBroken(clipOf(source, window, begin, to), window.candidate, omitted);
    if (clip !== undefined) windows.push(clip);
  }
  return { windows, zero: begin };
}

/** What a reading of a track comes to; undefined, with the track among those omitted, when its tables are broken. */
function* unlessBroken<T>(
  reading: Reading<T>,
  { track: { id, handler } }: Candidate,
  omitted: OmittedTrack[],
): Reading<T | undefined> {
  try {
    return yield* reading;
  } catch (error) {
    if (!(error instanceof EdgeError && error.code === 'unplayable')) throw error;
    omitted.push({ id, handler, reason: error.message });
    return undefined;
  }
}

/** An omitted track that is more than a picture beside sound: without it, players would be given another film. */
function lostVideo(
  { tracks }: SourceMovie,
  omitted: readonly OmittedTrack[],
  described: readonly TrackDescription[],
): OmittedTrack | undefined {
  return omitted.find(
    ({ id, handler, reason }) =>
      handler === 'vide' &&
      reason !== CHAPTERS &&
      tracks.some(track => track.id === id && track.samples > 1) &&
      described.some(track => track.id === id && track.enabled),
  );
}

/** The track by whose key frames all are cut: the first video that is enabled, else the first, else of sound. */
function leaderOf(windows: readonly TrackWindow[]): TrackWindow | undefined {
  for (const kind of ['video', 'audio']) {
    const found = windows.filter(({ candidate }) => candidate.kind === kind);
    const leader = found.find(({ candidate }) => candidate.description.enabled) ?? found[0];
    if (leader !== undefined) return leader;
  }
  return undefined;
}

function* cutTrack(
  source: MeteredSource,
  { candidate, first, end, firstPresented, composition, usual }: TrackWindow,
  buffer: RunBuffer,
  zero: number,
  boundaries: Boundaries,
  shortest: number,
): Reading<CompiledTrack> {
  const { track, kind, description, entry, presentation } = candidate;
  const { timescale, allSync } = track;
  const delta = Math.round((presentation.start - zero) * timescale) - presentation.media;
  // Offsets are at least 0, and the first sample is decoded when it is presented, but not before 0.
  const compositionShift = track.leastOffset;
  const editMedia = composition - compositionShift + Math.max(0, -(firstPresented + delta));
  const { duration, size } = usual;
  const rules: RowRules = {
    ...{ timescale, delta, compositionShift, editMedia, duration, size, allSync, boundaries, shortest },
  };
  const rows = new RowBuilder(source, rules, first);
  for (let at = first; at < end; at += BATCH) {
    const count = Math.min(BATCH, end - at);
    yield* source.breathe();
    const time = yield* track.read(source, at, count, buffer, false);
    rows.add(buffer, time);
  }
  const { segments, openGops, keyFrames } = rows.finish();
  const allHave = (field: number) => segments.fields.every(fields => (fields & field) !== 0);
  return {
    id: track.id,
    kind,
    handler: track.handler,
    timescale,
    language: description.language,
    name: description.name,
    enabled: description.enabled,
    alternateGroup: description.alternateGroup,
    matrix: description.matrix,
    width: description.width,
    height: description.height,
    entry,
    defaultDuration: allHave(SAMPLE_DURATION) ? 0 : duration,
    defaultSize: allHave(SAMPLE_SIZE) ? 0 : size,
    editMedia,
    compositionShift,
    segments,
    end: segments.begins[segments.count]!,
    openGops,
    syncs: allSync ? 'all' : 'first',
    keyFrames,
  };
}

/** The error of an object that can't be packaged. */
export function refused(reason: string): EdgeError {
  return new EdgeError('unplayable', `can't package this file: ${reason}`);
}
