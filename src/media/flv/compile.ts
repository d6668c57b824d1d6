import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';
import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, read } from '../io/reading.js';
import type { Points } from '../seek/points.js';
import type { FlvIndex } from './flv-index.js';
import type { FlvMetadata, ParsedMetadata } from './metadata.js';
import { Survey } from './survey.js';
import { headerLengthOf, isFlv, sizeInTrailer, TAG_HEADER, TAG_TRAILER, VIDEO_TAG } from './tag.js';
import { TagReader } from './tag-reader.js';

/** Most tags at the head of the file that are walked before a key-frame table is believed. */
const HEAD_TAGS = 256;
/** Entries of a key-frame table that are compared with the file. */
const SAMPLES = 8;
/** How an index is compiled. */
export interface FlvCompileOptions {
  /** Whether the index must hold `steps`, which needs a walk over all tags. */
  readonly steps: boolean;
}

/**
 * Compiles the index of an FLV file: from the head of the file and the key-frame table of `onMetaData` when that holds,
 * otherwise from the headers of all tags; `yield*` it. The walk gives other work its turn, so it may run in the
 * background of a busy worker. With a table, decoder configurations that change in the middle of the file stay unknown.
 * @throws EdgeError `unplayable` when no tag can begin a cut, and whatever the source throws
 */
export function* compileFlvIndex(source: MeteredSource, options: FlvCompileOptions): Reading<FlvIndex> {
  const head = yield* read(source, 0, Math.min(source.size, 9));
  if (!isFlv(head)) throw new EdgeError('unplayable', 'an FLV header was expected at the beginning of the file');
  const survey = new Survey(source);
  const tags = new TagReader(source, headerLengthOf(head) + TAG_TRAILER, true);
  const more = yield* walk(
    source,
    tags,
    survey,
    count => count >= HEAD_TAGS || (survey.sawAudio && survey.video.times.length > 0),
  );
  const table = yield* tablePoints(source, survey);
  if (more && table && !options.steps) {
    const last = yield* lastTimestamp(source);
    return finish(source, head[4]!, survey, { points: table, table, seen: false, end: source.size, last });
  }
  if (more) yield* walk(source, tags, survey, () => false);
  const points = survey.sawVideo && survey.video.times.length > 0 ? survey.video : survey.audio;
  if (points.times.length === 0) {
    throw new EdgeError(
      'unplayable',
      'a key frame was expected, and none was found in the FLV file; it can only be played whole',
    );
  }
  const end = tags.broken ? source.size : tags.offset;
  const kept = table && seenPoints(table, points);
  const found = finish(source, head[4]!, survey, {
    points: kept ?? points,
    table: kept,
    seen: true,
    end,
    last: survey.last,
  });
  return options.steps ? { ...found, steps: survey.steps(tags.offset) } : found;
}

/** Walks until `enough` or the end; false at the end. */
function* walk(
  source: MeteredSource,
  tags: TagReader,
  survey: Survey,
  enough: (count: number) => boolean,
): Reading<boolean> {
  for (let count = 0; !enough(count); count++) {
    if (source.due) yield* source.breathe();
    if (!(tags.isAtHand ? tags.skip() : yield* tags.next())) return false;
    if (!survey.take(tags)) yield* survey.read(tags);
  }
  return true;
}

interface TablePoints extends Pick<Points, 'positions' | 'times'> {
  readonly skipped: number;
}

/**
 * The points of the key-frame table; undefined when there is none, or it points at something else where it is compared
 * with the file.
 */
function* tablePoints(source: ByteSource, { metadata, sawVideo }: Survey): Reading<TablePoints | undefined> {
  if (!metadata?.table || !sawVideo) return undefined;
  const positions = [...metadata.positions];
  // Adding 0 makes 0 of the -0 that a time just below 0 is rounded to.
  const times = [...metadata.times].map(seconds => Math.round(seconds * 1000) + 0);
  const rise = positions.every(
    (at, i) => Number.isInteger(at) && at > (positions[i - 1] ?? 12) && at < source.size - TAG_HEADER,
  );
  if (!rise || !times.every((time, i) => time >= (times[i - 1] ?? 0) && time < 2 ** 32)) return undefined;
  let skipped = 0;
  while (skipped < positions.length && skipped < 4 && !(yield* isKeyFrame(source, positions[skipped]!))) {
    skipped++;
  }
  const count = positions.length - skipped;
  for (let i = 1; i <= SAMPLES; i++) {
    const sample = skipped + Math.floor(((count - 1) * i) / SAMPLES);
    if (count < 1 || !(yield* isKeyFrame(source, positions[sample]!))) return undefined;
  }
  return { positions: positions.slice(skipped), times: times.slice(skipped), skipped };
}

function* isKeyFrame(source: ByteSource, position: number): Reading<boolean> {
  const tag = new TagReader(source, position);
  if (!(yield* tag.next())) return false;
  return (tag.type & 0x1f) === VIDEO_TAG && tag.payload().key;
}

/** The points of the table with their timestamps in the file; undefined when one of them was not seen there. */
function seenPoints({ positions, skipped }: TablePoints, seen: Points): TablePoints | undefined {
  const found = new Map(seen.positions.map((position, i) => [position, seen.times[i]!]));
  const times = positions.flatMap(position => found.get(position) ?? []);
  return times.length === positions.length ? { positions, times, skipped } : undefined;
}

/** Timestamp of the last tag, found through the file's last four bytes; undefined when they are not its size. */
function* lastTimestamp(source: ByteSource): Reading<number | undefined> {
  const size = sizeInTrailer(yield* read(source, source.size - TAG_TRAILER, TAG_TRAILER));
  const at = source.size - TAG_TRAILER - size;
  if (size < TAG_HEADER || at < 13) return undefined;
  const tag = new TagReader(source, at);
  return (yield* tag.next()) && tag.end === source.size ? tag.timestamp : undefined;
}

interface Found {
  readonly points: Pick<Points, 'positions' | 'times'>;
  readonly table: TablePoints | undefined;
  readonly seen: boolean;
  readonly end: number;
  /** Milliseconds. */
  readonly last: number | undefined;
}

function finish(source: ByteSource, flags: number, survey: Survey, found: Found): FlvIndex {
  const { points, table, seen, end } = found;
  // What a key-frame table says of times may be rounded; the frames that were seen know better.
  const base = seen ? Math.min(survey.base ?? 0, points.times[0]!) : (survey.base ?? points.times[0]!);
  return {
    size: source.size,
    flags,
    base,
    duration: durationOf(found, survey.metadata?.duration, base),
    end,
    positions: Float64Array.from(points.positions),
    times: Float64Array.from(points.times),
    seen,
    configs: survey.configs,
    metadata: survey.metadata && keptMetadata(survey.metadata, table),
    steps: undefined,
  };
}

/** Milliseconds. The frames win over the header, except that only the header knows how long the last frame lasts. */
function durationOf({ last, points }: Found, header: number | undefined, base: number): number {
  const frames = Math.max(last ?? 0, points.times.at(-1)!) - base;
  const claimed = Math.round((header ?? 0) * 1000);
  if (last === undefined) return claimed > frames && claimed < 2 ** 32 ? claimed : frames;
  return claimed > frames && claimed <= frames + 1000 ? claimed : frames;
}

function keptMetadata({ properties, count, table }: ParsedMetadata, points: TablePoints | undefined): FlvMetadata {
  const kept = points && table && { ...table, skipped: points.skipped };
  return { properties, count, table: kept };
}
