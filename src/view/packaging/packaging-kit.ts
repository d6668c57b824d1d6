import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { Lru } from '../../base/lru.js';
import type { ContentRequest, OpenObject } from '../../catalog/content.js';
import type { Reading } from '../../media/io/reading.js';
import { OpenedMedia } from '../opened-media.js';
import type { ViewStage } from '../view.js';
import type { AnswerFile } from './answer-file.js';
import { PackagedSets } from './packaged-sets.js';
import type { PackagingOptions } from './packaging-options.js';
import { OpenedSet } from './set/opened-set.js';
import { SetLists } from './set/set-lists.js';
import type { SetPlace } from './set-place.js';
import type { PackageVersion } from './url/version.js';

/** What the views of packaged films share. */
export class PackagingKit {
  readonly sets: PackagedSets;
  /** Manifests, playlists and segments as they were sent, by all that they depend on. */
  readonly rendered: Lru<AnswerFile>;
  readonly #lists: SetLists;

  constructor(
    readonly options: PackagingOptions,
    log: Log,
  ) {
    this.sets = new PackagedSets(options, log);
    this.rendered = new Lru(options.memory / 4);
    this.#lists = new SetLists(options.memory / 16);
  }

  /**
   * Opens all files of a set. What it has opened is let go when this fails.
   * @param opened the object that the request has opened already
   */
  *open(
    opened: OpenObject,
    { set, file, members }: SetPlace,
    request: ContentRequest,
    stage: ViewStage,
  ): Reading<OpenedSet> {
    const found = new OpenedSet(set.kind === 'film', opened);
    try {
      const listed = members ?? (yield* this.#lists.members(new OpenedMedia(opened), file));
      yield* found.open(stage.content, listed, request);
      return found;
    } catch (error) {
      found.release();
      throw error;
    }
  }

  /** The hash that the version of an opened set has. */
  hashOf(set: OpenedSet, opened: OpenObject, { members }: SetPlace): string {
    const objects = set.members.map(open => open?.opened);
    return this.sets.hashOf(members === undefined ? [opened, ...objects] : objects);
  }

  /** @throws EdgeError `gone` when the version of a URL is not that of what is there now */
  check(hash: string, version: PackageVersion): void {
    if (hash === version.hash) return;
    throw new EdgeError(
      'gone',
      'the film, or how it is packaged, has changed since its playlist was made: ask for that again',
    );
  }
}
