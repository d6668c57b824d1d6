import { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { type Budget, compileBudget, MeteredSource, PLAN_BUDGET } from '../io/metered-source.js';
import { perform, type Reading, read, whenThere } from '../io/reading.js';
import { SingleFlight } from '../io/single-flight.js';
import type { Format } from './format.js';
import { KeptPlans } from './kept-plans.js';
import type { IndexStore, MediaObject, MediaPlanner } from './media.js';
import { isAboutTheFile, SealedStore } from './sealed-store.js';
import type { Seek } from './seek.js';

/** Options of `Planner`. */
export interface PlannerOptions {
  /** In the order in which they are asked. */
  readonly formats: readonly Format<unknown>[];
  /** Bytes of compiled indexes kept in memory, and of plans. */
  readonly indexMemory: number;
  /** Milliseconds of a core that compiling the index of a long file may take. */
  readonly indexTime: number;
  /** Where compiled indexes outlive the process. */
  readonly store?: IndexStore;
  /** Told how long each seek took to plan, in seconds. */
  readonly observe?: (seconds: number) => void;
}

/**
 * What is known of an object: its index; that it is no media file; that nothing of it can be moved, while seeks were
 * not asked for yet; or why it can't be cut.
 */
type Knowledge =
  | { readonly kind: 'index'; readonly format: Format<unknown>; readonly index: unknown }
  | { readonly kind: 'plain' }
  | { readonly kind: 'unmoved' }
  | { readonly kind: 'refused'; readonly error: EdgeError };

/** What the knowledge is for: cutting, or the whole file in another order, which only some formats have. */
type Purpose = 'seek' | 'whole';

/** Bytes by which a file is recognised. */
const HEAD = 4096;
/** Bytes that an entry without an index counts. */
const SMALL = 512;
/** The part of `indexMemory` that plans may take. */
const PLAN_SHARE = 1 / 4;
/** Seeks that are remembered as asked for once. */
const ONCE_MAX = 1024;
const PLAIN: Knowledge = { kind: 'plain' };
const UNMOVED: Knowledge = { kind: 'unmoved' };

/**
 * Chooses the format by a file's first bytes, keeps the compiled indexes, and builds each of them once for all who wait
 * for it. Plans are kept too: a player that seeks asks for several ranges of the same answer, and all that seek to
 * between two key frames may get one file.
 */
export class Planner implements MediaPlanner {
  /** Running numbers: indexes compiled, taken from the store, and objects that could not be cut. */
  readonly stats = { compiled: 0, restored: 0, refused: 0 };
  readonly #known: Lru<Knowledge>;
  readonly #plans: KeptPlans;
  /** Seeks asked for once; most are not asked for again, and to keep each would cost as much as to find its plan. */
  readonly #once = new Set<string>();
  readonly #underWay = new SingleFlight<Knowledge>();
  readonly #store: SealedStore;

  readonly #budget: Budget;
  /** Under which refusals are stored; holds all that they depend on beside the object. */
  readonly #refusals: string;

  constructor(private readonly options: PlannerOptions) {
    const { formats, indexTime } = options;
    this.#budget = compileBudget(indexTime);
    this.#refusals = [`refused-2 ${indexTime}`, ...formats.map(({ name, limits = '' }) => name + limits)].join(' ');
    this.#store = new SealedStore(options.store);
    this.#known = new Lru(options.indexMemory * (1 - PLAN_SHARE));
    this.#plans = new KeptPlans(options.indexMemory * PLAN_SHARE);
  }

  /** Bytes of the compiled indexes and plans in memory. */
  get indexBytes(): number {
    return this.#known.bytes + this.#plans.bytes;
  }

  whole(object: MediaObject): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    return perform(this.#whole(object));
  }

  seek(object: MediaObject, seek: Seek): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    const begun = performance.now();
    const told = () => this.options.observe?.((performance.now() - begun) / 1000);
    let file: VirtualFile | undefined | Promise<VirtualFile | undefined>;
    try {
      file = this.#plans.find(object, seek) ?? perform(this.#seek(object, seek));
    } catch (error) {
      told();
      throw error;
    }
    if (file instanceof Promise) return file.finally(told);
    told();
    return file;
  }

  /**
   * What the edge knows of an object's structure, for `inspect`; undefined when it is no media file.
   * @throws EdgeError (or rejects with one) `unplayable`, `media_too_large`, and whatever the source throws
   */
  index(object: MediaObject): IndexOf | undefined | Promise<IndexOf | undefined> {
    return perform(this.#index(object));
  }

  bitrate(object: MediaObject): number | undefined | Promise<number | undefined> {
    return perform(this.#bitrate(object));
  }

  *#bitrate(object: MediaObject): Reading<number | undefined> {
    const knowledge = yield* this.#know(object, 'seek');
    if (knowledge.kind !== 'index') return undefined;
    const duration = knowledge.format.duration(knowledge.index);
    return duration > 0 ? object.source.size / duration : undefined;
  }

  *#index(object: MediaObject): Reading<IndexOf | undefined> {
    const knowledge = yield* this.#know(object, 'seek');
    if (knowledge.kind === 'refused') throw knowledge.error;
    return knowledge.kind === 'index' ? knowledge : undefined;
  }

  *#seek(object: MediaObject, seek: Seek): Reading<VirtualFile | undefined> {
    const about = aboutObject(object);
    const key = `${seek.start}-${seek.end} ${about}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const found = yield* this.#index(object);
    if (found === undefined) return undefined;
    const file = yield* this.#plan(found, object, seek, about);
    if (file !== undefined && this.#isAskedAgain(key)) this.#plans.set(key, file);
    return file;
  }

  /** @param about all that plans depend on beside the seek */
  *#plan({ format, index }: IndexOf, object: MediaObject, seek: Seek, about: string): Reading<VirtualFile | undefined> {
    const source = new MeteredSource(object.source, PLAN_BUDGET);
    // Named one by one: an object's fields may be accessors, which a spread leaves out.
    const { identity, etag, lastModified, contentType } = object;
    const metered = { identity, etag, lastModified, contentType, source };
    try {
      const beginning = format.beginning && (yield* whenThere(format.beginning(index, source, seek)));
      if (beginning === undefined) return yield* whenThere(format.plan(index, metered, seek));
      const key = `at ${beginning.second}-${seek.end} ${about}`;
      const known = this.#plans.get(key);
      if (known !== undefined) return known;
      const file = yield* whenThere(format.plan(index, metered, seek, beginning.second));
      if (file === undefined) return undefined;
      if (beginning.until > beginning.second) this.#plans.setFor(key, file, object, beginning);
      else this.#plans.set(key, file);
      return file;
    } catch (error) {
      // A file that is too much work for one seek would be for the next one.
      if (error instanceof EdgeError && error.code === 'media_too_large') this.#refuse(object, error);
      throw error;
    }
  }

  #isAskedAgain(key: string): boolean {
    if (this.#once.delete(key)) return true;
    if (this.#once.size === ONCE_MAX) this.#once.clear();
    this.#once.add(key);
    return false;
  }

  *#whole(object: MediaObject): Reading<VirtualFile | undefined> {
    try {
      const knowledge = yield* this.#know(object, 'whole');
      return knowledge.kind === 'index' ? knowledge.format.whole?.(knowledge.index, object) : undefined;
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  *#know(object: MediaObject, purpose: Purpose): Reading<Knowledge> {
    const known = this.#known.get(object.identity);
    if (known !== undefined && serves(known, purpose)) return known;
    return yield* this.#underWay.get(
      object.identity,
      () => this.#learn(object, purpose),
      learnt => serves(learnt, purpose),
    );
  }

  *#learn(object: MediaObject, purpose: Purpose): Reading<Knowledge> {
    const stored = this.#restore(object);
    if (stored !== undefined) return this.#keep(object, stored);
    const source = new MeteredSource(object.source, this.#budget);
    const head = yield* read(source, 0, Math.min(HEAD, source.size));
    try {
      for (const format of this.options.formats) {
        if (!format.matches(head)) continue;
        if (purpose === 'whole' && format.whole === undefined) return this.#keep(object, UNMOVED);
        const index = yield* whenThere(format.compile(source));
        if (index === undefined) continue;
        this.stats.compiled++;
        yield* source.turn();
        this.#store.put(object.identity, format.name, format.encode(index));
        return this.#keep(object, { kind: 'index', format, index });
      }
    } catch (error) {
      if (!isAboutTheFile(error)) throw error;
      return this.#refuse(object, error);
    }
    return this.#keep(object, PLAIN);
  }

  /** Remembers, as long as an index would be, that the object can't be cut. */
  #refuse(object: MediaObject, error: EdgeError): Knowledge {
    this.stats.refused++;
    this.#store.refuse(object.identity, this.#refusals, error);
    return this.#keep(object, { kind: 'refused', error });
  }

  #restore({ identity, source }: MediaObject): Knowledge | undefined {
    const error = this.#store.refusal(identity, this.#refusals);
    if (error !== undefined) {
      this.stats.restored++;
      return { kind: 'refused', error };
    }
    for (const format of this.options.formats) {
      const bytes = this.#store.get(identity, format.name);
      const index = bytes && format.decode(bytes, source.size);
      if (index === undefined) continue;
      this.stats.restored++;
      return { kind: 'index', format, index };
    }
    return undefined;
  }

  #keep({ identity }: MediaObject, knowledge: Knowledge): Knowledge {
    const bytes = knowledge.kind === 'index' ? knowledge.format.weight(knowledge.index) : SMALL;
    this.#known.set(identity, knowledge, bytes);
    return knowledge;
  }
}

/** A compiled index and the format that it belongs to. */
export interface IndexOf {
  readonly format: Format<unknown>;
  readonly index: unknown;
}

/** All of an object that decides plans; entity tags and media types hold no line break. */
function aboutObject({ identity, etag, lastModified, contentType }: MediaObject): string {
  return `${identity} ${lastModified}\n${etag}\n${contentType}`;
}

function serves(knowledge: Knowledge, purpose: Purpose): boolean {
  return knowledge.kind !== 'unmoved' || purpose === 'whole';
}
