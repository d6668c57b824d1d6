import { READ_MAX } from '../../base/byte-source.js';
import { native } from '../../base/native.js';
import type { MeteredSource } from '../io/metered-source.js';
import { look, type Reading, readAll } from '../io/reading.js';
import { BoxScan } from '../mp4/box/box-scan.js';
import { broken } from '../mp4/box/broken.js';
import { compileTrack } from '../mp4/index/compile-track.js';
import type { MovieIndex } from '../mp4/index/movie-index.js';
import { bytesInChunk } from '../mp4/table/chunk-offset.js';
import { runOf } from '../mp4/table/run-table.js';
import { commonSize } from '../mp4/table/sample-size.js';
import { decodeEnd, decodeStart } from '../mp4/table/sample-time.js';
import { type Chunk, chunkOf } from '../mp4/table/stsc.js';
import { markBefore, STRIDE, streamTable, type Table, viewOf } from '../mp4/table/table.js';
import { lookUp } from '../mp4/table/table-bytes.js';
import { hasSamples, type SampledTrack } from '../mp4/table/track-index.js';
import { presentedOf } from './presented.js';
import { NOT_SYNC, type RunBuffer, type SourceMovie, type SourceTrack, SYNC } from './source-track.js';

/** Nanoseconds that a sample costs beside the bytes that tell of it. */
const SAMPLE_WORK = 8;
/** Nanoseconds that an entry of a table costs beside its bytes. */
const ENTRY_WORK = 2;
/** Entries read at once of tables of which it is not known how many are needed. */
const ENTRIES = STRIDE + 1;

/** A progressive MP4 as packaging reads it. */
export function progressiveMovie({ movie, tracks, timescale }: MovieIndex): SourceMovie {
  return { movieAt: movie.offset, tracks: tracks.filter(hasSamples).map(track => new MovieTrack(track, timescale)) };
}

/**
 * The tracks that have samples in the movie box of a fragmented MP4; `yield*` it.
 * @throws EdgeError `unplayable` when their tables are broken
 */
export function* insideTracks(source: MeteredSource, movieAt: number): Reading<SourceTrack[]> {
  const scan = new BoxScan(source);
  const found: SourceTrack[] = [];
  for (const box of yield* scan.children(yield* scan.box(movieAt))) {
    const track = box.type === 'trak' ? yield* compileTrack(scan, box, 1) : undefined;
    if (track !== undefined && hasSamples(track)) found.push(new MovieTrack(track, 1));
  }
  return found;
}

/** A track whose samples are told of by tables (ISO/IEC 14496-12 section 8.6 and 8.7). */
class MovieTrack implements SourceTrack {
  readonly id: number;
  readonly handler: string;
  readonly timescale: number;
  readonly samples: number;
  readonly mediaEnd: number;
  readonly leastOffset: number;
  readonly allSync: boolean;
  readonly preroll: number;
  readonly presentation: SourceTrack['presentation'];
  readonly reason: string | undefined;

  /** @param movieScale units per second of edits */
  constructor(
    private readonly track: SampledTrack,
    movieScale: number,
  ) {
    const { id, handler, timescale, samples, preroll, core, packetSamples } = track;
    this.id = id;
    this.handler = handler;
    this.timescale = timescale;
    this.samples = samples;
    this.mediaEnd = track.mediaEnd;
    this.leastOffset = track.leastOffset;
    this.preroll = preroll;
    this.allSync = core.stss === undefined || core.stss.count === samples;
    this.presentation = presentedOf(track.segments, timescale, movieScale);
    this.reason =
      packetSamples > 0
        ? 'its sound is uncompressed, or in packets of old QuickTime files'
        : core.stss?.count === 0
          ? 'it has no key frames'
          : undefined;
  }

  *entry(source: MeteredSource): Reading<number | undefined> {
    const used = new Set<number>();
    yield* streamTable({ source }, this.track.core.stsc, bytes => {
      const chunk = viewOf(bytes);
      for (let at = 8; at < chunk.byteLength && used.size < 2; at += 12) used.add(chunk.getUint32(at));
    });
    const [first] = used;
    return used.size === 1 ? first! - 1 : undefined;
  }

  *read(source: MeteredSource, first: number, count: number, into: RunBuffer, places: boolean): Reading<number> {
    if (first < 0 || first + count > this.samples)
      throw broken(`samples ${first} to ${first + count} of track ${this.id} are needed, and it has ${this.samples}`);
    source.spend(count * SAMPLE_WORK);
    const { stts, ctts, stss, stsz } = this.track.core;
    into.count = count;
    const time = yield* fillRuns(source, stts, first, count, into.durations);
    if (ctts === undefined) into.compositions.fill(0, 0, count);
    else yield* fillRuns(source, ctts, first, count, into.compositions);
    if (this.allSync || stss === undefined) into.flags.fill(SYNC, 0, count);
    else yield* fillSyncs(source, stss, first, count, into.flags);
    yield* fillSizes(source, stsz, first, count, into.sizes);
    if (places) yield* this.#fillOffsets(source, first, count, into);
    return time;
  }

  startAt(source: MeteredSource, media: number): Reading<number> {
    return lookUp(source, bytes => decodeStart(bytes, this.track, media).sample);
  }

  endAt(source: MeteredSource, media: number): Reading<number> {
    return lookUp(source, bytes => decodeEnd(bytes, this.track, media));
  }

  *#fillOffsets(source: MeteredSource, first: number, count: number, { sizes, offsets }: RunBuffer): Reading<void> {
    if (count === 0) return;
    const { track } = this;
    const { stsc, stco } = track.core;
    const [chunk, skipped] = yield* lookUp(source, (bytes): [Chunk, number] => {
      const found = chunkOf(bytes, stsc, track.chunks, first);
      return [found, bytesInChunk(bytes, track, found, first)];
    });
    // Each chunk holds a sample or more.
    const chunks = Math.min(count, track.chunks + 1 - chunk.number);
    // Kept, while more of `stsc` is read.
    const places = viewOf((yield* entriesOf(source, stco, chunk.number - 1, chunks)).slice());
    const runs = new ChunkRuns(source, stsc, chunk);
    let left = chunk.first + chunk.samples - first;
    let [number, at, i] = [chunk.number, placeAt(places, 0, stco.entrySize) + skipped, 0];
    for (;;) {
      const end = Math.min(count, i + left);
      for (; i < end; i++) {
        offsets[i] = at;
        at += sizes[i]!;
      }
      if (at > source.size) throw broken(`a chunk of track ${track.id} goes on past the end of the file`);
      if (i === count) return;
      number++;
      if (number - chunk.number >= chunks) throw broken(`the chunks of track ${track.id} end before its samples`);
      if (number >= runs.end) yield* runs.next();
      left = runs.perChunk;
      at = placeAt(places, number - chunk.number, stco.entrySize);
    }
  }
}

function placeAt(places: DataView, entry: number, size: number): number {
  if (size === 4) return places.getUint32(entry * 4);
  return places.getUint32(entry * 8) * 0x1_0000_0000 + places.getUint32(entry * 8 + 4);
}

/** Passes over the entries of `stsc`. */
class ChunkRuns {
  perChunk: number;
  /** The chunk after the last one that the entry at hand tells of. */
  end: number;
  #entry: number;
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** The entry that the bytes at hand begin with. */
  #from = 0;

  constructor(
    private readonly source: MeteredSource,
    private readonly table: Table,
    { entry, entryEnd, samples }: Chunk,
  ) {
    this.#entry = entry;
    this.end = entryEnd;
    this.perChunk = samples;
  }

  *next(): Reading<void> {
    const { table } = this;
    const entry = ++this.#entry;
    if (entry >= table.count) throw broken('box "stsc" does not hold all samples');
    const last = this.#from + this.#view.byteLength / 12;
    if (entry >= last || (entry + 1 >= last && last < table.count)) {
      this.#from = entry;
      const bytes = yield* entriesOf(this.source, table, entry, Math.min(ENTRIES, table.count - entry));
      this.#view = viewOf(bytes.slice());
    }
    const at = (entry - this.#from) * 12;
    this.perChunk = this.#view.getUint32(at + 4);
    this.end = entry + 1 < table.count ? this.#view.getUint32(at + 12) : Number.POSITIVE_INFINITY;
  }
}

/** The bytes of `count` entries of a table from `first` on; the caller's only until anything else is read. */
function* entriesOf(source: MeteredSource, table: Table, first: number, count: number): Reading<Uint8Array> {
  source.spend(count * ENTRY_WORK);
  const [from, to] = [Math.floor(first * table.entrySize), Math.ceil((first + count) * table.entrySize)];
  if (table.inline !== undefined) return table.inline.subarray(from, to);
  const length = to - from;
  return length <= READ_MAX
    ? yield* look(source, table.offset + from, length)
    : yield* readAll(source, table.offset + from, length);
}

/**
 * The values of a table of runs for samples `[first, first+count)`; 0 for those that it does not tell of.
 * @returns sum of the values of all samples before, where the table has it
 */
function* fillRuns(
  source: MeteredSource,
  table: Table,
  first: number,
  count: number,
  values: Uint32Array | Int32Array,
): Reading<number> {
  const run = yield* lookUp(source, bytes => runOf(bytes, table, first));
  if (run === undefined) {
    values.fill(0, 0, count);
    return 0;
  }
  const skipped = first - run.first;
  let filled = Math.min(count, run.samples - skipped);
  values.fill(run.value, 0, filled);
  for (let entry = run.entry + 1; filled < count && entry < table.count; ) {
    const wanted = Math.min(table.count - entry, Math.max(STRIDE, count - filled));
    filled = native.expandRuns(yield* entriesOf(source, table, entry, wanted), values, filled, count);
    entry += wanted;
  }
  values.fill(0, filled, count);
  return run.ticks + skipped * run.value;
}

function* fillSyncs(
  source: MeteredSource,
  table: Table,
  first: number,
  count: number,
  flags: Uint32Array,
): Reading<void> {
  flags.fill(NOT_SYNC, 0, count);
  let entry = markBefore(table.columns[0]!, first + 1) * STRIDE;
  while (entry < table.count) {
    const wanted = Math.min(STRIDE, table.count - entry);
    const view = viewOf(yield* entriesOf(source, table, entry, wanted));
    for (let byte = 0; byte < view.byteLength; byte += 4) {
      const sample = view.getUint32(byte) - 1 - first;
      if (sample >= count) return;
      if (sample >= 0) flags[sample] = SYNC;
    }
    entry += wanted;
  }
}

function* fillSizes(
  source: MeteredSource,
  table: Table,
  first: number,
  count: number,
  sizes: Uint32Array,
): Reading<void> {
  const common = commonSize(table);
  if (common !== undefined) {
    sizes.fill(common, 0, count);
    return;
  }
  const entries = yield* entriesOf(source, table, first, count);
  if (table.entrySize === 4) native.readWords(entries, sizes, count);
  else copySmall(viewOf(entries), sizes, count, table.entrySize, first & 1);
}

/** @param odd of entries of half a byte, whether the first is the second one of its byte */
function copySmall(view: DataView, sizes: Uint32Array, count: number, entrySize: number, odd: number): void {
  for (let i = 0; i < count; i++) {
    if (entrySize === 2) sizes[i] = view.getUint16(i * 2);
    else if (entrySize === 1) sizes[i] = view.getUint8(i);
    else sizes[i] = (view.getUint8((i + odd) >>> 1) >> ((i + odd) % 2 === 0 ? 4 : 0)) & 15;
  }
}
