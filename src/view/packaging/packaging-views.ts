import type { Log } from '../../base/log.js';
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

/** Films as HLS and DASH, by the grammar of docs/packaging.md. */
export class PackagingViews implements ViewKind {
  readonly parameters: readonly string[] = ['start', 'end'];
  readonly #options: PackagingOptions;
  readonly #log: Log;
  #kit: PackagingKit | undefined;

  constructor(options: PackagingOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** @throws EdgeError `bad_request` for a set of files that may not be asked for */
  find({ path, parameters }: ViewTarget): View | undefined {
    const found = parsePackagedPath(path, isPackagedFile);
    if (found === undefined) return undefined;
    this.#kit ??= new PackagingKit(this.#options, this.#log);
    const set = fileSet(found.file);
    const members = set.kind === 'list' ? undefined : membersOf(set, this.#options.subtitles);
    const place = { file: found.file, set, members };
    if ('manifest' in found) {
      return new ManifestView(this.#kit, place, found.manifest.kind, clipTimesOf(parameters));
    }
    return hasFile(set, members, found.part.track)
      ? new PartView(this.#kit, place, found.version, found.part)
      : undefined;
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
