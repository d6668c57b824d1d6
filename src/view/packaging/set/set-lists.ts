import { EdgeError } from '../../../base/errors.js';
import { Lru } from '../../../base/lru.js';
import { type Reading, read } from '../../../media/io/reading.js';
import type { MediaObject } from '../../../media/seek/media.js';
import type { SetMember } from './member.js';
import { LIST_MAX, parseSetList } from './set-list.js';

/** Lists of sets, read and kept. */
export class SetLists {
  readonly #lists: Lru<readonly SetMember[]>;

  /** @param memory bytes */
  constructor(memory: number) {
    this.#lists = new Lru(memory);
  }

  /**
   * The files that a list names.
   * @throws EdgeError (or rejects with one) `unplayable`, `bad_request`, `media_too_large`, and whatever the source
   *   throws
   */
  *members(object: MediaObject, path: string): Reading<readonly SetMember[]> {
    const known = this.#lists.get(object.identity);
    if (known !== undefined) return known;
    const { size } = object.source;
    if (size > LIST_MAX) {
      throw new EdgeError('media_too_large', `the list of a set may have ${LIST_MAX} bytes, found ${size}`);
    }
    const bytes = size === 0 ? new Uint8Array() : yield* read(object.source, 0, size);
    const members = parseSetList(bytes, path);
    this.#lists.set(object.identity, members, 256 * (1 + members.length));
    return members;
  }
}
