import { createHash } from 'node:crypto';
import type { FragmentIndex } from '../fmp4/index.js';
import { compileBudget, MeteredSource, PLAN_BUDGET } from '../io/metered-source.js';
import { perform, type Reading, whenThere } from '../io/reading.js';
import { broken } from '../mp4/box/broken.js';
import type { MovieIndex } from '../mp4/index/movie-index.js';
import type { IndexStore, MediaObject } from '../seek/media.js';
import type { Planner } from '../seek/planner.js';
import { SealedStore } from '../seek/sealed-store.js';
import { compilePackage, refused } from './compile-package.js';
import { CompiledCache } from './compiled-cache.js';
import {
  decodeFragmentSamples,
  encodeFragmentSamples,
  type FragmentSamples,
  fragmentSamplesWeight,
  surveySamples,
} from './fragment-samples.js';
import { fragmentedMovie } from './fragmented-movie.js';
import { keyFramesOf } from './key-frames.js';
import type {
  CutPoints,
  KeyFrames,
  MediaPackage,
  MediaPackager,
  PackageTrack,
  SampleRun,
  Segmentation,
} from './media-package.js';
import { decodePackage, encodePackage, packageWeight } from './package-bytes.js';
import { insideTracks, progressiveMovie } from './progressive-movie.js';
import { SEGMENT_SAMPLES_MAX } from './segment-rows.js';
import { RunBuffer, type SourceMovie, type SourceTrack } from './source-track.js';

/** Options of `Packager`. */
export interface PackagerOptions {
  /** Knows how objects are made up. */
  readonly planner: Pick<Planner, 'index'>;
  /** Bytes of packages kept in memory. */
  readonly memory: number;
  /** Milliseconds of a core that it may take to look at all samples of a long film. */
  readonly indexTime: number;
  /** Where packages of whole objects outlive the process. */
  readonly store?: IndexStore;
}

/** Parts of the memory that are for packages, and for what is known of samples and of key frames. */
const [PACKAGES, FRAGMENTS, INSIDE, KEYS] = [1 / 2, 3 / 16, 1 / 16, 1 / 4];
/** Bytes that a track of a fragmented MP4 takes that has samples in the movie box, about. */
const INSIDE_BYTES = 64 * 1024;
/** Bytes of a sample that is read, of key frames, and of each of them. */
const SAMPLE_BYTES = 24;
const [KEY_FRAMES, KEY_FRAME_BYTES] = [512, 24];

/**
 * Describes objects for packaging. What an object is made up of is known to the planner; packages are kept here, and
 * those of whole objects outlive the process.
 */
export class Packager implements MediaPackager {
  readonly #packages: CompiledCache<MediaPackage>;
  readonly #fragments: CompiledCache<FragmentSamples>;
  readonly #inside: CompiledCache<readonly SourceTrack[]>;
  readonly #keyFrames: CompiledCache<KeyFrames>;

  constructor(private readonly options: PackagerOptions) {
    const { memory, indexTime } = options;
    const [store, budget] = [new SealedStore(options.store), compileBudget(indexTime)];
    this.#packages = new CompiledCache(memory * PACKAGES, store, budget);
    this.#fragments = new CompiledCache(memory * FRAGMENTS, store, budget);
    this.#inside = new CompiledCache(memory * INSIDE, store, budget);
    this.#keyFrames = new CompiledCache(memory * KEYS, store, budget);
  }

  /** Running numbers: packages compiled, taken from the store, and refused. */
  get stats(): { readonly compiled: number; readonly restored: number; readonly refused: number } {
    return this.#packages.stats;
  }

  /** Bytes of what is kept in memory. */
  get bytes(): number {
    return this.#packages.bytes + this.#fragments.bytes + this.#inside.bytes + this.#keyFrames.bytes;
  }

  package(object: MediaObject, cut: Segmentation): MediaPackage | Promise<MediaPackage> {
    return perform(this.#package(object, cut));
  }

  samples(object: MediaObject, track: PackageTrack, first: number, end: number): SampleRun | Promise<SampleRun> {
    return perform(this.#samples(object, track, first, end));
  }

  keyFrames(object: MediaObject, track: PackageTrack): KeyFrames | Promise<KeyFrames> {
    return perform(this.#keyFramesOf(object, track));
  }

  points(object: MediaObject): CutPoints | Promise<CutPoints> {
    return perform(this.#points(object));
  }

  *#package(object: MediaObject, cut: Segmentation): Reading<MediaPackage> {
    return yield* this.#packages.get(object, {
      kind: `package-3 ${segmentationKey(cut)}`,
      // Of clips and sets there may be any number, and they are made again in no time.
      stored: isWhole(cut)
        ? { encode: encodePackage, decode: bytes => decodePackage(bytes, object.source.size) }
        : undefined,
      make: source => this.#compile(source, object, cut),
      weigh: packageWeight,
    });
  }

  *#compile(source: MeteredSource, object: MediaObject, cut: Segmentation): Reading<MediaPackage> {
    const { pack, keyFrames } = yield* compilePackage(source, yield* this.#movie(object), cut);
    for (const [i, found] of keyFrames.entries()) {
      if (found !== undefined)
        this.#keyFrames.put(object, keyFramesKind(pack.tracks[i]!), found, keyFramesWeight(found));
    }
    return pack;
  }

  /** @throws EdgeError `unplayable` when the object is no movie */
  *#movie(object: MediaObject): Reading<SourceMovie> {
    const found = yield* whenThere(this.options.planner.index(object));
    switch (found?.format.name.replace(/-\d+$/, '')) {
      case 'mp4':
        return progressiveMovie(found!.index as MovieIndex);
      case 'fmp4':
        return yield* this.#fragmented(object, found!.index as FragmentIndex);
      default:
        throw refused('it is no MP4');
    }
  }

  *#fragmented(object: MediaObject, index: FragmentIndex): Reading<SourceMovie> {
    const samples = yield* this.#fragments.get(object, {
      kind: 'fragments-2',
      stored: { encode: encodeFragmentSamples, decode: bytes => decodeFragmentSamples(bytes, index) },
      make: source => surveySamples(source, index),
      weigh: fragmentSamplesWeight,
    });
    const inside = index.hasSamples ? yield* this.#insideOf(object, index) : [];
    return fragmentedMovie(index, samples, inside);
  }

  #insideOf(object: MediaObject, { movie }: FragmentIndex): Reading<readonly SourceTrack[]> {
    return this.#inside.get(object, {
      kind: 'inside',
      make: source => insideTracks(source, movie.from),
      weigh: tracks => tracks.length * INSIDE_BYTES,
    });
  }

  *#trackOf(object: MediaObject, { id }: PackageTrack): Reading<SourceTrack> {
    const { tracks } = yield* this.#movie(object);
    const track = tracks.find(candidate => candidate.id === id);
    if (track === undefined) throw broken(`it has no track ${id}`);
    return track;
  }

  *#samples(object: MediaObject, wanted: PackageTrack, first: number, end: number): Reading<SampleRun> {
    const source = new MeteredSource(object.source, PLAN_BUDGET);
    const count = end - first;
    if (!(count > 0 && count <= SEGMENT_SAMPLES_MAX)) throw broken(`${count} samples are no part of a segment`);
    source.keep(count * SAMPLE_BYTES);
    const track = yield* this.#trackOf(object, wanted);
    const run = new RunBuffer(count, true);
    yield* track.read(source, first, count, run, true);
    const { compositionShift } = wanted;
    if (compositionShift !== 0) for (let i = 0; i < count; i++) run.compositions[i]! -= compositionShift;
    return run;
  }

  *#keyFramesOf(object: MediaObject, track: PackageTrack): Reading<KeyFrames> {
    return yield* this.#keyFrames.get(object, {
      kind: keyFramesKind(track),
      make: source => this.#findKeyFrames(source, object, track),
      weigh: keyFramesWeight,
    });
  }

  *#findKeyFrames(source: MeteredSource, object: MediaObject, track: PackageTrack): Reading<KeyFrames> {
    return yield* keyFramesOf(source, yield* this.#trackOf(object, track), track);
  }

  *#points(object: MediaObject): Reading<CutPoints> {
    const { tracks, duration } = yield* this.#package(object, WHOLE);
    const track = tracks.find(({ kind }) => kind === 'video');
    if (track === undefined) return { seconds: new Float64Array(), duration };
    const { times } = yield* this.#keyFramesOf(object, track);
    return { seconds: times.map(time => time / track.timescale), duration };
  }
}

/** What decides the key frames of a track beside its object. */
function keyFramesKind({ id, segments: { samples, times, count } }: PackageTrack): string {
  return `${id} ${samples[0]}-${samples[count]} ${times[0]}`;
}

function keyFramesWeight({ samples }: KeyFrames): number {
  return KEY_FRAMES + samples.length * KEY_FRAME_BYTES;
}

/** For what does not depend on how an object is cut. */
const WHOLE: Segmentation = { target: 6, shortest: 0.5 };

function isWhole({ boundaries, lead, start, end }: Segmentation): boolean {
  return boundaries === undefined && lead === undefined && start === undefined && end === undefined;
}

/** Everything that decides a package, beside the object. */
export function segmentationKey({ target, shortest, boundaries, lead, start, end }: Segmentation): string {
  const places = boundaries && createHash('sha256').update(boundaries).digest('base64url');
  return [target, shortest, start ?? '', end ?? '', places ?? '', lead ?? ''].join(' ').trimEnd();
}
