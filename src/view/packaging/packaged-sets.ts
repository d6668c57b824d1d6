import { createHash } from 'node:crypto';
import type { Log } from '../../base/log.js';
import { Lru } from '../../base/lru.js';
import type { OpenObject } from '../../catalog/content.js';
import { type Reading, whenThere } from '../../media/io/reading.js';
import type { MediaPackager, Segmentation } from '../../media/packaging/media-package.js';
import { TrackFiles } from '../../media/packaging/track-file.js';
import type { PackagingOptions } from './packaging-options.js';
import { decodingTimes, needDates } from './presentation/durations.js';
import type { Presentation } from './presentation/presentation.js';
import { isLasting, leftOut, type OpenedSet } from './set/opened-set.js';
import { cutSet, type SetCut, segmentationOf } from './set/set-cut.js';
import { SideCars } from './subtitles/side-car.js';
import { SetTracks } from './tracks/set-tracks.js';
import { type ClipTimes, type PackageVersion, versionHash, versionText } from './url/version.js';

/** Changes whenever other bytes are made of the same objects and settings. */
const LAYOUT = 'packaging-4';

/** A set with all that players are told of it. */
export interface PresentedSet {
  readonly presentation: Presentation;
  /** Players of HLS have to be told when its tracks begin. */
  readonly isDated: boolean;
  /** Second of the films' own time at which it begins. */
  readonly origin: number;
}

/** The set that a version in a URL is of: what its parts are made by, without a look at all of its files. */
interface VersionedSet {
  readonly cut: SetCut;
  /** By the place of each file: what tells its version. */
  readonly validators: readonly (string | undefined)[];
}

/** Makes presentations of sets, and keeps them. */
export class PackagedSets {
  readonly files: TrackFiles;
  readonly sideCars: SideCars;
  readonly #presented: Lru<PresentedSet>;
  readonly #versions: Lru<VersionedSet>;
  readonly #settings: string;
  /** Of films on their own. */
  readonly #hashes = new WeakMap<OpenObject['object'], string>();

  constructor(
    readonly options: PackagingOptions,
    private readonly log: Log,
  ) {
    const { memory, ...settings } = options;
    const { hvc1 } = options;
    this.#settings = JSON.stringify([LAYOUT, settings]);
    this.files = new TrackFiles({ hvc1, memory: memory / 4 });
    this.sideCars = new SideCars(memory / 4);
    this.#presented = new Lru(memory / 8);
    this.#versions = new Lru(memory / 32);
  }

  /**
   * The hash that the version of these objects has in URLs.
   * @param objects in the order of the set; undefined for one that is not there
   */
  hashOf(objects: readonly (OpenObject | undefined)[]): string {
    return versionHash([this.#settings, ...objects.map(opened => opened && validatorOf(opened))]);
  }

  /** The same of a film on its own, which each request for a part of it needs. */
  hashAlone(opened: OpenObject): string {
    const known = this.#hashes.get(opened.object);
    if (known !== undefined) return known;
    const hash = this.hashOf([opened]);
    this.#hashes.set(opened.object, hash);
    return hash;
  }

  /** How a film on its own is cut. */
  alone(clip: ClipTimes | undefined): Segmentation {
    const { segment, lastSegment } = this.options;
    const end = clip?.end === undefined ? undefined : clip.end / 1000;
    return { target: segment / 1000, shortest: lastSegment, start: clip && clip.start / 1000, end };
  }

  /** How a version's set is cut, when that is known and the file at a place still is the one that it was made of. */
  known(file: string, version: PackageVersion, place: number, opened: OpenObject): SetCut | undefined {
    const found = this.#versions.get(versionKey(file, version));
    return found?.validators[place] === validatorOf(opened) ? found.cut : undefined;
  }

  /** How a set is cut. @param file path of the set */
  *cut(file: string, version: PackageVersion, set: OpenedSet, packager: MediaPackager): Reading<SetCut> {
    const key = versionKey(file, version);
    const known = this.#versions.get(key);
    if (known !== undefined) return known.cut;
    const cut = yield* cutSet(set.films, version.clip, this.options, packager);
    const validators = set.members.map(open => open && validatorOf(open.opened));
    const places = cut.segmentation.boundaries?.byteLength ?? 0;
    this.#versions.set(key, { cut, validators }, 1024 + places + 100 * validators.length);
    return cut;
  }

  /**
   * What players are told of a set.
   * @throws EdgeError (or rejects with one) when nothing of it can be packaged: why its first film can't
   */
  *present(file: string, version: PackageVersion, set: OpenedSet, packager: MediaPackager): Reading<PresentedSet> {
    // Objects are meant, not only their versions: a purge has everything looked at again.
    const identities = set.members.map(open => open?.media.identity).join(' ');
    const key = createHash('sha256')
      .update(`${versionKey(file, version)}\n${identities}`)
      .digest('base64url');
    const known = this.#presented.get(key);
    if (known !== undefined) return known;
    const made = yield* this.#make(file, version, set, packager);
    this.#presented.set(key, made, weightOf(made.presentation));
    return made;
  }

  *#make(file: string, version: PackageVersion, set: OpenedSet, packager: MediaPackager): Reading<PresentedSet> {
    const cut = yield* this.cut(file, version, set, packager);
    const tracks = new SetTracks(this.files, packager);
    const warnings = [...set.notes, ...cut.notes];
    let [origin, duration] = [0, 0];
    let failure: unknown;
    const films = set.films.filter(({ member }) => cut.films.includes(member.path));
    for (const open of films) {
      try {
        const pack = yield* whenThere(packager.package(open.media, segmentationOf(cut, open.member.path)));
        if (duration === 0) origin = pack.origin;
        duration = Math.max(duration, pack.duration);
        yield* tracks.addFilm({ ...open, file: set.fileNumber(open), pack });
      } catch (error) {
        if (!isLasting(error)) throw error;
        failure ??= error;
        warnings.push(leftOut(open.member.path, error));
      }
    }
    if (duration === 0) throw failure;
    for (const open of set.texts) {
      try {
        yield* this.sideCars.text(open.media, open.member.path, origin);
        tracks.addText(open, set.fileNumber(open));
      } catch (error) {
        if (!isLasting(error)) throw error;
        warnings.push(leftOut(open.member.path, error));
      }
    }
    const presented = tracks.present(this.options.names === 'title');
    const notes = [...warnings, ...tracks.notes];
    // What a film on its own has beside pictures and sound, such as a track of time codes, is nobody's loss.
    const told = set.films.length > 1 ? notes : warnings;
    if (told.length > 0) this.log.warn({ file, warnings: told }, 'a set is packaged without some of it');
    const times = [...presented.videos, ...presented.audios].map(decodingTimes);
    return {
      presentation: { version: versionText(version), duration, ...presented, aligned: cut.aligned, notes },
      isDated: needDates(times, !set.isFilm),
      origin,
    };
  }
}

/** What tells the versions of an object, wherever it is cached. */
function validatorOf({ object: { etag, size } }: OpenObject): string {
  return `${etag} ${size}`;
}

function versionKey(file: string, version: PackageVersion): string {
  return `${versionText(version)} ${file}`;
}

function weightOf({ videos, audios, texts, notes }: Presentation): number {
  const rows = [...videos, ...audios].reduce((sum, track) => {
    const keyFrames = track.keyFrames?.sizes.length ?? 0;
    return sum + 24 * track.sizes.length + 16 * keyFrames + 1024;
  }, 0);
  return 1024 + rows + 512 * texts.length + 300 * notes.length;
}
