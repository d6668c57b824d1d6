import { Lru } from '../../base/lru.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import type { Beginning } from './format.js';
import type { MediaObject } from './media.js';
import type { Seek } from './seek.js';

/** Bytes that a plan counts beside its literal bytes, and each of its spans, as `bench -- seek-plan` measures them. */
const PLAN = 1024;
const SPAN = 128;

interface Kept {
  readonly key: string;
  readonly file: VirtualFile;
  /** Where it stands in order, when it answers all seeks without an end for seconds `[from, until)`. */
  readonly film: Film | undefined;
  readonly from: number;
  readonly until: number;
}

/** Plans of one version of one object, in the order of the seconds that they answer, which do not overlap. */
class Film {
  readonly plans: Kept[] = [];
  readonly identity: string;
  readonly #etag: string;
  readonly #lastModified: number | undefined;
  readonly #contentType: string;

  constructor({ identity, etag, lastModified, contentType }: MediaObject) {
    this.identity = identity;
    this.#etag = etag;
    this.#lastModified = lastModified;
    this.#contentType = contentType;
  }

  /** Whether all is as it was of which plans are made. */
  isOf({ etag, lastModified, contentType }: MediaObject): boolean {
    return etag === this.#etag && lastModified === this.#lastModified && contentType === this.#contentType;
  }

  /** Number of plans that begin to answer at `second` or before. */
  countUpTo(second: number): number {
    let low = 0;
    let high = this.plans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.plans[middle]!.from <= second) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Recent plans: by what they were made for, and those that answer many seeks by the seconds of these, so that the film
 * need not be looked into.
 */
export class KeptPlans {
  readonly #plans: Lru<Kept>;
  readonly #films = new Map<string, Film>();

  /** @param capacity bytes of all plans */
  constructor(capacity: number) {
    this.#plans = new Lru(capacity, kept => this.#forget(kept));
  }

  /** Bytes of all plans kept. */
  get bytes(): number {
    return this.#plans.bytes;
  }

  /** The plan that is known to answer a seek. */
  find(object: MediaObject, { start, end }: Seek): VirtualFile | undefined {
    if (end !== undefined) return undefined;
    const film = this.#films.get(object.identity);
    if (film === undefined || !film.isOf(object)) return undefined;
    const kept = film.plans[film.countUpTo(start) - 1];
    return kept !== undefined && start < kept.until ? this.get(kept.key) : undefined;
  }

  /** @param key names all that the plan depends on */
  get(key: string): VirtualFile | undefined {
    return this.#plans.get(key)?.file;
  }

  set(key: string, file: VirtualFile): void {
    this.#plans.set(key, { key, file, film: undefined, from: 0, until: 0 }, planBytes(file));
  }

  /** @param beginning what all seeks without an end have in common that the plan answers */
  setFor(key: string, file: VirtualFile, object: MediaObject, { second, until }: Beginning): void {
    const film = this.#filmOf(object);
    const kept = { key, file, film, from: second, until };
    this.#plans.set(key, kept, planBytes(file));
    // One that is too large is not kept.
    if (this.#plans.get(key) !== kept) return;
    film.plans.splice(film.countUpTo(second), 0, kept);
    this.#films.set(film.identity, film);
  }

  #filmOf(object: MediaObject): Film {
    const known = this.#films.get(object.identity);
    if (known?.isOf(object)) return known;
    return new Film(object);
  }

  #forget(kept: Kept): void {
    const { film } = kept;
    if (film === undefined) return;
    const at = film.countUpTo(kept.from) - 1;
    if (film.plans[at] === kept) film.plans.splice(at, 1);
    if (film.plans.length === 0 && this.#films.get(film.identity) === film) this.#films.delete(film.identity);
  }
}

function planBytes({ spans }: VirtualFile): number {
  return spans.reduce((sum, span) => sum + SPAN + (span.kind === 'literal' ? span.length : 0), PLAN);
}
