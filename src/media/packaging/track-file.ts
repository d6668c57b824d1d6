import { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import { sectioned } from '../../virtual-file/sections.js';
import { heldBytes, sliceSpans } from '../../virtual-file/slice.js';
import { literal, type SectionedSpan, type Span } from '../../virtual-file/span.js';
import { SAMPLE_DURATION, SAMPLE_SIZE } from '../fmp4/moof.js';
import { REFERENCES_LIMIT, SAP_CLOSED, SAP_OPEN, SidxWriter, sidxSize } from '../mp4/box/sidx-writer.js';
import { initSegment } from './init-segment.js';
import type { KeyFrames, PackageTrack, SampleRun } from './media-package.js';
import { type Fragment, fragmentOf, mediaSegment, segmentSize, TRACK_ID } from './media-segment.js';
import { packagedEntry } from './packaged-entry.js';

/** Reads samples `[first, end)` of a track: the last arguments of `MediaPackager.samples`. */
export type ReadSamples = (first: number, end: number) => SampleRun | Promise<SampleRun>;

/** How files of tracks are written. */
export interface TrackFileOptions {
  /** Whether HEVC is called `hvc1` where it can be. */
  readonly hvc1: boolean;
  /** Bytes of what segments are made of that are kept in memory: boxes, and where samples lie. */
  readonly memory: number;
}

/** Bytes that a segment takes that is kept, beside its spans. */
const KEPT = 256;

/** The files of tracks, each kept for as long as its track. */
export class TrackFiles {
  readonly #files = new WeakMap<PackageTrack, TrackFile>();
  /** Segments as they were made, by the number of their file and their own. */
  readonly #segments: Lru<readonly Span[]>;
  readonly #options: TrackFileOptions;
  #count = 0;

  constructor(options: TrackFileOptions) {
    this.#options = options;
    this.#segments = new Lru(options.memory);
  }

  /** @throws EdgeError `unplayable` when the track's sample entry is broken */
  of(track: PackageTrack): TrackFile {
    let file = this.#files.get(track);
    if (file === undefined) {
      file = new TrackFile(track, this.#options, this.#segments, ++this.#count);
      this.#files.set(track, file);
    }
    return file;
  }
}

/**
 * A track as one file: init segment, index, media segments. Where everything stands in it is known without a look at
 * the tables of samples; they are read as the file is sent, segment by segment, and each segment is a slice of it.
 */
export class TrackFile {
  /** The sample entry in the init segment. */
  readonly entry: Uint8Array;
  readonly init: Uint8Array;
  /** Bytes of the whole. */
  readonly size: number;
  /** Where the segment index stands. */
  readonly sidx: { readonly offset: number; readonly length: number };
  readonly #track: PackageTrack;
  /** Bytes before each section, the first being what stands before the media, and of all. */
  readonly #begins: Float64Array;
  /** Segments of a reference of the index. */
  readonly #together: number;

  /**
   * @param segments where those that were made are kept
   * @param number of this file among those that have them kept there
   */
  constructor(
    track: PackageTrack,
    { hvc1 }: TrackFileOptions,
    private readonly segments: Lru<readonly Span[]>,
    private readonly number: number,
  ) {
    const { count } = track.segments;
    this.#track = track;
    this.entry = packagedEntry(track, hvc1);
    this.init = initSegment(track, this.entry);
    this.#together = Math.max(1, Math.ceil(count / REFERENCES_LIMIT));
    this.sidx = { offset: this.init.length, length: sidxSize(Math.ceil(count / this.#together)) };
    this.#begins = new Float64Array(count + 2);
    this.#begins[1] = this.sidx.offset + this.sidx.length;
    for (let row = 0; row < count; row++) {
      this.#begins[row + 2] = this.#begins[row + 1]! + segmentSize(fragmentOf(track, row));
    }
    this.size = this.#begins[count + 1]!;
  }

  /** First byte of each segment, and one more: the size of the file. */
  get offsets(): Float64Array {
    return this.#begins.subarray(1);
  }

  /** First byte of a segment, or behind the last one. @param row its number, from 0 */
  segmentOffset(row: number): number {
    return this.#begins[row + 1]!;
  }

  /** Bytes of a segment. */
  segmentSize(row: number): number {
    return this.segmentOffset(row + 1) - this.segmentOffset(row);
  }

  /** The whole. */
  spans(read: ReadSamples): Span[] {
    return [this.#whole(read)];
  }

  /** A segment: as it is made of the object where that is known, else to be made as it is sent. */
  segment(row: number, read: ReadSamples): readonly Span[] {
    return this.#kept(row) ?? sliceSpans([this.#whole(read)], this.segmentOffset(row), this.segmentOffset(row + 1));
  }

  #whole(read: ReadSamples): SectionedSpan {
    return sectioned(this.#begins, section =>
      section === 0 ? [literal(this.init), literal(this.#index())] : this.#media(section - 1, read),
    );
  }

  #kept(row: number): readonly Span[] | undefined {
    return this.segments.get(this.#key(row));
  }

  #key(row: number): string {
    return `${this.number} ${row}`;
  }

  /** The spans of a segment, which many players ask for one after the other. */
  #media(row: number, read: ReadSamples): readonly Span[] | Promise<readonly Span[]> {
    const kept = this.#kept(row);
    if (kept !== undefined) return kept;
    const track = this.#track;
    const { samples } = track.segments;
    const made = (run: SampleRun) => {
      const spans = mediaSegment(track, fragmentOf(track, row), run);
      this.segments.set(this.#key(row), spans, KEPT + heldBytes(spans));
      return spans;
    };
    const run = read(samples[row]!, samples[row + 1]!);
    return run instanceof Promise ? run.then(made) : made(run);
  }

  /** @throws EdgeError `unplayable` when a segment is too large for its field */
  #index(): Uint8Array {
    const { timescale, segments, openGops } = this.#track;
    const { begins, count } = segments;
    const references = Math.ceil(count / this.#together);
    const writer = new SidxWriter(TRACK_ID, timescale, begins[0]!, references);
    for (let row = 0; row < count; row += this.#together) {
      const next = Math.min(count, row + this.#together);
      const size = this.segmentOffset(next) - this.segmentOffset(row);
      const duration = begins[next]! - begins[row]!;
      if (!writer.reference(size, duration, openGops ? SAP_OPEN : SAP_CLOSED)) {
        throw new EdgeError(
          'unplayable',
          `segment ${row + 1} has ${size} bytes and ${duration} ticks, expected less than 2^31 and 2^32: ask for playlists`,
        );
      }
    }
    return writer.take();
  }

  /** Bytes of the file of each key frame: they differ in those of the frames. */
  keyFrameSizes(keyFrames: KeyFrames): Float64Array {
    const sizes = keyFrames.sizes.slice();
    if (sizes.length === 0) return sizes;
    const beside = segmentSize(this.#keyFrame(keyFrames, 0)) - sizes[0]!;
    for (let i = 0; i < sizes.length; i++) sizes[i]! += beside;
    return sizes;
  }

  /** A segment of key frame `i` alone, which lasts until the next. */
  keyFrameSegment(keyFrames: KeyFrames, i: number, read: ReadSamples): Span[] {
    const track = this.#track;
    const fragment = this.#keyFrame(keyFrames, i);
    const lasts = Math.max(1, (keyFrames.times[i + 1] ?? track.end) - keyFrames.times[i]!);
    const made = (run: SampleRun) =>
      mediaSegment(track, fragment, { ...run, durations: Uint32Array.of(lasts), compositions: new Int32Array(1) });
    const first = keyFrames.samples[i]!;
    return [
      sectioned(Float64Array.of(0, segmentSize(fragment)), () => {
        const run = read(first, first + 1);
        return run instanceof Promise ? run.then(made) : made(run);
      }),
    ];
  }

  #keyFrame({ times, sizes }: KeyFrames, i: number): Fragment {
    return {
      sequence: i + 1,
      time: times[i]! + this.#track.editMedia,
      fields: SAMPLE_DURATION | SAMPLE_SIZE,
      syncs: 'all',
      samples: 1,
      bytes: sizes[i]!,
    };
  }
}
