import { createHash } from 'node:crypto';
import type { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import { type Budget, compileBudget, MeteredSource, PLAN_BUDGET } from '../io/metered-source.js';
import { perform, type Reading, whenThere } from '../io/reading.js';
import { SingleFlight } from '../io/single-flight.js';
import { broken } from '../mp4/box/broken.js';
import type { MovieIndex } from '../mp4/index/movie-index.js';
import type { IndexStore, MediaObject } from '../seek/media.js';
import type { Planner } from '../seek/planner.js';
import { isAboutTheFile, SealedStore } from '../seek/sealed-store.js';
import { compilePackage, refused } from './compile-package.js';
import { keyFramesOf } from './key-frames.js';
import type { KeyFrames, MediaPackage, MediaPackager, PackageTrack, SampleRun, Segmentation } from './media-package.js';
import { decodePackage, encodePackage, packageWeight } from './package-bytes.js';
import { progressiveMovie } from './progressive-movie.js';
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

/** What is known of an object that is cut one way. */
type Known = { readonly pack: MediaPackage } | { readonly error: EdgeError };

/** Bytes that a refusal counts, and what is kept beside key frames. */
const SMALL = 512;
/** Bytes of a sample and a key frame. */
const SAMPLE_BYTES = 24;
const KEY_FRAME_BYTES = 24;

/**
 * Describes objects for packaging. What an object is made up of is known to the planner; packages are kept here, each
 * made once for all who wait for it, and those of whole objects outlive the process.
 */
export class Packager implements MediaPackager {
  /** Running numbers: packages compiled, taken from the store, and refused. */
  readonly stats = { compiled: 0, restored: 0, refused: 0 };
  readonly #known: Lru<Known>;
  readonly #keyFrames: Lru<KeyFrames>;
  readonly #underWay = new SingleFlight<Known>();
  readonly #keysUnderWay = new SingleFlight<KeyFrames>();
  readonly #store: SealedStore;
  readonly #budget: Budget;

  constructor(private readonly options: PackagerOptions) {
    const { memory, store, indexTime } = options;
    this.#known = new Lru((memory * 3) / 4);
    this.#keyFrames = new Lru(memory / 4);
    this.#store = new SealedStore(store);
    this.#budget = compileBudget(indexTime);
  }

  /** Bytes of what is kept in memory. */
  get bytes(): number {
    return this.#known.bytes + this.#keyFrames.bytes;
  }

  package(object: MediaObject, cut: Segmentation): MediaPackage | Promise<MediaPackage> {
    return perform(this.#package(object, cut));
  }

  samples(
    object: MediaObject,
    pack: MediaPackage,
    track: PackageTrack,
    first: number,
    end: number,
  ): SampleRun | Promise<SampleRun> {
    return perform(this.#samples(object, pack, track, first, end));
  }

  keyFrames(object: MediaObject, pack: MediaPackage, track: PackageTrack): KeyFrames | Promise<KeyFrames> {
    return perform(this.#keyFramesOf(object, pack, track));
  }

  points(object: MediaObject): Float64Array | Promise<Float64Array> {
    return perform(this.#points(object));
  }

  *#package(object: MediaObject, cut: Segmentation): Reading<MediaPackage> {
    const kind = `package-1 ${segmentationKey(cut)}`;
    const key = `${object.identity} ${kind}`;
    const known = this.#known.get(key) ?? (yield* this.#underWay.get(key, () => this.#learn(object, cut, kind, key)));
    if ('error' in known) throw known.error;
    return known.pack;
  }

  *#learn(object: MediaObject, cut: Segmentation, kind: string, key: string): Reading<Known> {
    const { identity } = object;
    // Of clips and sets there may be any number, and they are made again in no time.
    const lasts = cut.start === undefined && cut.end === undefined && cut.boundaries === undefined;
    const stored = lasts ? this.#restore(object, kind) : undefined;
    if (stored !== undefined) return this.#keep(key, stored);
    const source = new MeteredSource(object.source, this.#budget);
    try {
      const pack = yield* compilePackage(source, yield* this.#movie(object), cut);
      yield* source.turn();
      this.stats.compiled++;
      if (lasts) this.#store.put(identity, kind, encodePackage(pack));
      return this.#keep(key, { pack });
    } catch (error) {
      if (!isAboutTheFile(error)) throw error;
      this.stats.refused++;
      if (lasts) this.#store.refuse(identity, `refused ${kind} ${this.#budget.most?.work}`, error);
      return this.#keep(key, { error });
    }
  }

  #restore({ identity, source }: MediaObject, kind: string): Known | undefined {
    const error = this.#store.refusal(identity, `refused ${kind} ${this.#budget.most?.work}`);
    const bytes = error === undefined ? this.#store.get(identity, kind) : undefined;
    const pack = bytes && decodePackage(bytes, source.size);
    if (error === undefined && pack === undefined) return undefined;
    this.stats.restored++;
    return error !== undefined ? { error } : { pack: pack! };
  }

  #keep(key: string, known: Known): Known {
    this.#known.set(key, known, 'pack' in known ? packageWeight(known.pack) : SMALL);
    return known;
  }

  /** @throws EdgeError `unplayable` when the object is no movie */
  *#movie(object: MediaObject): Reading<SourceMovie> {
    const found = yield* whenThere(this.options.planner.index(object));
    switch (found?.format.name.replace(/-\d+$/, '')) {
      case 'mp4':
        return progressiveMovie(found!.index as MovieIndex);
      default:
        throw refused('it is no MP4');
    }
  }

  *#trackOf(object: MediaObject, { id }: PackageTrack): Reading<SourceTrack> {
    const { tracks } = yield* this.#movie(object);
    const track = tracks.find(candidate => candidate.id === id);
    if (track === undefined) throw broken(`it has no track ${id}`);
    return track;
  }

  *#samples(
    object: MediaObject,
    _: MediaPackage,
    wanted: PackageTrack,
    first: number,
    end: number,
  ): Reading<SampleRun> {
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

  *#keyFramesOf(object: MediaObject, _: MediaPackage, track: PackageTrack): Reading<KeyFrames> {
    const { samples, times, count } = track.segments;
    const key = `${object.identity} ${track.id} ${samples[0]}-${samples[count]} ${times[0]}`;
    const known = this.#keyFrames.get(key);
    if (known !== undefined) return known;
    return yield* this.#keysUnderWay.get(key, () => this.#findKeyFrames(object, track, key));
  }

  *#findKeyFrames(object: MediaObject, track: PackageTrack, key: string): Reading<KeyFrames> {
    const source = new MeteredSource(object.source, this.#budget);
    const found = yield* keyFramesOf(source, yield* this.#trackOf(object, track), track);
    this.#keyFrames.set(key, found, SMALL + found.samples.length * KEY_FRAME_BYTES);
    return found;
  }

  *#points(object: MediaObject): Reading<Float64Array> {
    const pack = yield* this.#package(object, WHOLE);
    const track = pack.tracks.find(({ kind }) => kind === 'video');
    if (track === undefined) return new Float64Array();
    const { times } = yield* this.#keyFramesOf(object, pack, track);
    return times.map(time => time / track.timescale);
  }
}

/** For what does not depend on how an object is cut. */
const WHOLE: Segmentation = { target: 6, shortest: 0.5 };

/** Everything that decides a package, beside the object. */
export function segmentationKey({ target, shortest, boundaries, start, end }: Segmentation): string {
  const places = boundaries && createHash('sha256').update(boundaries).digest('base64url');
  return [target, shortest, start ?? '', end ?? '', places ?? ''].join(' ').trimEnd();
}
