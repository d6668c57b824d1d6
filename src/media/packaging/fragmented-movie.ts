import { lastAtMost } from '../../base/last-at-most.js';
import type { FragmentIndex } from '../fmp4/index.js';
import {
  compositionOf,
  fieldOf,
  isSyncSample,
  parseMoof,
  SAMPLE_DURATION,
  SAMPLE_SIZE,
  type TrackFragment,
} from '../fmp4/moof.js';
import type { FragmentTrack } from '../fmp4/movie.js';
import type { MeteredSource } from '../io/metered-source.js';
import { type Reading, readAll } from '../io/reading.js';
import { broken } from '../mp4/box/broken.js';
import type { FragmentRows, FragmentSamples } from './fragment-samples.js';
import { NOT_SYNC, RunBuffer, type SourceMovie, type SourceTrack, SYNC } from './source-track.js';

/** Nanoseconds that a `moof` costs, each byte of it and each sample. */
const MOOF_WORK = 3000;
const BYTE_WORK = 2;
const SAMPLE_WORK = 20;

/**
 * A fragmented MP4 as packaging reads it.
 * @param inside of tracks that have samples in the movie box itself, which come first
 */
export function fragmentedMovie(
  index: FragmentIndex,
  samples: FragmentSamples,
  inside: readonly SourceTrack[],
): SourceMovie {
  const tracks = index.tracks.map((track, i) => {
    const first = inside.find(({ id }) => id === track.id);
    return new FragmentedTrack(index, track, samples, samples.tracks[i]!, first);
  });
  return { movieAt: index.movie.from, tracks: tracks.filter(track => track.samples > 0) };
}

/** A track whose samples are told of by track fragments (ISO/IEC 14496-12 section 8.8). */
class FragmentedTrack implements SourceTrack {
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
  /** Samples of the movie box itself. */
  readonly #before: number;

  constructor(
    private readonly index: FragmentIndex,
    track: FragmentTrack,
    private readonly file: Pick<FragmentSamples, 'moofs' | 'sizes'>,
    private readonly rows: FragmentRows,
    private readonly inside: SourceTrack | undefined,
  ) {
    const { id, handler, timescale, shift } = track;
    this.id = id;
    this.handler = handler;
    this.timescale = timescale;
    this.#before = inside?.samples ?? 0;
    this.samples = this.#before + rows.samples.at(-1)!;
    this.mediaEnd = rows.times.at(-1)!;
    this.leastOffset = Math.min(rows.leastOffset, inside?.leastOffset ?? rows.leastOffset);
    this.allSync = rows.allSync && inside?.allSync !== false;
    this.preroll = handler === 'soun' ? 1 : 0;
    const [media, start] = [Math.max(0, shift), Math.max(0, -shift) / timescale];
    // Players of fragments do not mind where edits end.
    this.presentation = { start, media, end: start + Math.max(0, this.mediaEnd - media) / timescale };
    this.reason = inside?.reason;
  }

  *entry(source: MeteredSource): Reading<number | undefined> {
    return this.rows.moofs.length === 0 ? yield* this.inside!.entry(source) : undefined;
  }

  *read(source: MeteredSource, first: number, count: number, into: RunBuffer, places: boolean): Reading<number> {
    if (first < 0 || first + count > this.samples)
      throw broken(`samples ${first} to ${first + count} of track ${this.id} are needed, and it has ${this.samples}`);
    const { samples, times } = this.rows;
    const inside = Math.min(count, Math.max(0, this.#before - first));
    let start: number | undefined;
    if (inside > 0) {
      start = yield* this.inside!.read(source, first, inside, into, places);
      if (first + inside === this.#before && samples.length > 1) endAt(into, inside, start, times[0]!);
    }
    let sample = first + inside - this.#before;
    for (let done = inside; done < count; ) {
      const row = lastAtMost(samples, sample);
      const skipped = sample - samples[row]!;
      const taken = Math.min(count - done, samples[row + 1]! - sample);
      const time = yield* this.#readRow(source, row, skipped, taken, into, done, places);
      start ??= time;
      done += taken;
      sample += taken;
    }
    into.count = count;
    if (this.allSync) into.flags.fill(SYNC, 0, count);
    return start ?? 0;
  }

  /** Reads samples `[skipped, skipped + count)` of a row. @returns decoding time of the first */
  *#readRow(
    source: MeteredSource,
    row: number,
    skipped: number,
    count: number,
    into: RunBuffer,
    at: number,
    places: boolean,
  ): Reading<number> {
    const { samples, times } = this.rows;
    const held = samples[row + 1]! - samples[row]!;
    const { moof, traf } = yield* this.#fragment(source, row);
    if (traf?.samples !== held) throw broken(`the fragments of track ${this.id} are not what they were`);
    const write = new FragmentWriter(new DataView(moof.buffer, moof.byteOffset, moof.length), traf, into, places);
    const before = write.write(skipped, count, at);
    if (places && write.end > source.size) throw broken(`samples of track ${this.id} go on past the end of the file`);
    const time = times[row]! + before;
    // The times that fragments say decide how long the last sample of the one before lasts.
    if (skipped + count === held && row + 2 < times.length) endAt(into, at + count, time, times[row + 1]!, at);
    return time;
  }

  *#fragment(
    source: MeteredSource,
    row: number,
  ): Reading<{ readonly moof: Uint8Array; readonly traf: TrackFragment | undefined }> {
    const { moofs, places } = this.rows;
    const [offset, size] = [this.file.moofs[moofs[row]!]!, this.file.sizes[moofs[row]!]!];
    const moof = yield* readAll(source, offset, size);
    source.spend(MOOF_WORK + size * BYTE_WORK);
    const trafs = parseMoof(moof, offset, this.index.tracks).filter(({ trackId }) => trackId === this.id);
    const traf = trafs[places[row]!];
    source.spend((traf?.samples ?? 0) * SAMPLE_WORK);
    return { moof, traf };
  }

  *startAt(source: MeteredSource, media: number): Reading<number> {
    const { samples, times } = this.rows;
    // Samples may be presented before they are decoded.
    for (let row = Math.min(samples.length - 2, lastAtMost(times, media) + 1); row >= 0; row--) {
      const found = yield* this.#last(source, row, (time, flags) => flags === SYNC && time <= media);
      if (found !== undefined) return found;
    }
    return this.inside === undefined ? 0 : yield* this.inside.startAt(source, media);
  }

  *endAt(source: MeteredSource, media: number): Reading<number> {
    const { samples, times } = this.rows;
    for (let row = Math.min(samples.length - 2, lastAtMost(times, media) + 1); row >= 0; row--) {
      const found = yield* this.#last(source, row, time => time < media);
      if (found !== undefined) return found + 1;
    }
    return this.inside === undefined ? 0 : yield* this.inside.endAt(source, media);
  }

  /** The last sample of a row of which the composition time and flags are such. */
  *#last(
    source: MeteredSource,
    row: number,
    isSuch: (time: number, flags: number) => boolean,
  ): Reading<number | undefined> {
    const { samples, times } = this.rows;
    const [first, count] = [this.#before + samples[row]!, samples[row + 1]! - samples[row]!];
    source.keep(count * 16);
    const run = new RunBuffer(count, false);
    yield* this.read(source, first, count, run, false);
    let [found, time]: [number | undefined, number] = [undefined, times[row]!];
    for (let i = 0; i < count; i++) {
      if (isSuch(time + run.compositions[i]!, run.flags[i]!)) found = first + i;
      time += run.durations[i]!;
    }
    return found;
  }
}

/** Makes the last of samples `[from, to)`, which begin at `time`, end at another time. */
function endAt({ durations }: RunBuffer, to: number, time: number, end: number, from = 0): void {
  let last = time;
  for (let i = from; i < to - 1; i++) last += durations[i]!;
  durations[to - 1] = Math.max(0, end - last);
}

/** Writes samples of a track fragment into a buffer. */
class FragmentWriter {
  /** Just past the last byte of a sample that was written. */
  end = 0;

  constructor(
    private readonly view: DataView,
    private readonly traf: TrackFragment,
    private readonly into: RunBuffer,
    private readonly places: boolean,
  ) {}

  /**
   * @param skipped samples before the first
   * @param at place of the first in the buffer
   * @returns ticks before the first
   */
  write(skipped: number, count: number, at: number): number {
    const { view, traf, into, places } = this;
    const { durations, sizes, compositions, flags, offsets } = into;
    let [sample, before] = [0, 0];
    for (const run of traf.runs) {
      let { position } = run;
      for (let i = 0; i < run.samples; i++, sample++) {
        if (sample >= skipped + count) return before;
        const duration = fieldOf(view, run, i, SAMPLE_DURATION, traf.sampleDuration);
        const size = fieldOf(view, run, i, SAMPLE_SIZE, traf.sampleSize);
        if (sample < skipped) before += duration;
        else {
          const place = at + sample - skipped;
          durations[place] = duration;
          sizes[place] = size;
          compositions[place] = compositionOf(view, run, i);
          flags[place] = isSyncSample(view, run, i, traf.sampleFlags) ? SYNC : NOT_SYNC;
          if (places) {
            if (position < 0) throw broken('samples of a fragment are before the file');
            offsets[place] = position;
            this.end = Math.max(this.end, position + size);
          }
        }
        position += size;
      }
    }
    return before;
  }
}
