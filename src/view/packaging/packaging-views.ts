import type { Log } from '../../base/log.js';
import { Lru } from '../../base/lru.js';
import type { ObjectList, View, ViewKind, ViewTarget } from '../view.js';
import { clipTimesOf } from './clip.js';
import { ManifestView } from './manifest-view.js';
import { PackagingKit } from './packaging-kit.js';
import type { PackagingOptions } from './packaging-options.js';
import { PartView } from './part-view.js';
import { canHave, membersOf, type SetMember } from './set/member.js';
import { LIST_MAX, parseSetList } from './set/set-list.js';
import { type FileSet, fileSet, isPackagedFile } from './url/file-set.js';
import { parsePackagedPath } from './url/packaged-path.js';
import type { TrackName } from './url/track-name.js';

/** Bytes of a view that is kept, and of each file of its set, beside its path. */
const [VIEW, VIEW_MEMBER] = [1024, 512];

/** Films as HLS and DASH, by the grammar of docs/packaging.md. */
export class PackagingViews implements ViewKind {
  readonly parameters: readonly string[] = ['start', 'end'];
  readonly #options: PackagingOptions;
  readonly #log: Log;
  #kit: PackagingKit | undefined;
  /** Parts, and manifests of whole films, that were asked for last, by their paths: many players ask for the same. */
  readonly #views: Lru<ManifestView | PartView>;

  constructor(options: PackagingOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#views = new Lru(options.memory / 32);
  }

  /** @throws EdgeError `bad_request` for a set of files that may not be asked for */
  find({ path, parameters }: ViewTarget): View | undefined {
    const known = this.#views.get(path);
    if (known !== undefined && (parameters.size === 0 || known instanceof PartView)) return known;
    const found = parsePackagedPath(path, isPackagedFile);
    if (found === undefined) return undefined;
    this.#kit ??= new PackagingKit(this.#options, this.#log);
    const set = fileSet(found.file);
    const members = set.kind === 'list' ? undefined : membersOf(set, this.#options.subtitles);
    const place = { file: found.file, set, members };
    if ('manifest' in found) {
      const clip = clipTimesOf(parameters);
      const manifest = new ManifestView(this.#kit, place, found.manifest.kind, clip);
      return clip === undefined ? this.#keep(path, manifest, members) : manifest;
    }
    if (!hasFile(set, members, found.part.track)) return undefined;
    return this.#keep(path, new PartView(this.#kit, place, found.version, found.part), members);
  }

  #keep<T extends ManifestView | PartView>(path: string, view: T, members: readonly SetMember[] | undefined): T {
    this.#views.set(path, view, VIEW + VIEW_MEMBER * (members?.length ?? 0) + 4 * path.length);
    return view;
  }

  /** @throws EdgeError `bad_request` for a set of files that may not be asked for */
  setAt(path: string): readonly string[] | ObjectList | undefined {
    const set = isPackagedFile(path) ? fileSet(path) : undefined;
    if (set?.kind === 'urlset') return set.paths;
    if (set?.kind !== 'list') return undefined;
    return { most: LIST_MAX, pathsIn: bytes => parseSetList(bytes, path).map(member => member.path) };
  }
}

/** Whether a set can have a track of a name: one of a list is known when the list has been read. */
function hasFile({ kind }: FileSet, members: readonly SetMember[] | undefined, track: TrackName): boolean {
  if (kind === 'film' ? track.file === 1 : track.file === 0) return false;
  if (members === undefined) return true;
  const member = members[Math.max(0, track.file - 1)];
  return member !== undefined && canHave(member, track);
}
