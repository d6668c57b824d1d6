import type { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import { type Budget, MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { SingleFlight } from '../io/single-flight.js';
import type { MediaObject } from '../seek/media.js';
import { isAboutTheFile, type SealedStore } from '../seek/sealed-store.js';

/** One kind of thing that is learnt of objects. */
export interface Lesson<T> {
  /** Name and version of its layout, and everything that decides it beside the object. */
  readonly kind: string;
  /** How it is stored, so that it outlives the process; left out for what there may be any number of. */
  readonly stored?: StoredForm<T> | undefined;
  /** Learns it; `yield*` it. */
  make(source: MeteredSource): Reading<T>;
  /** Bytes that it takes in memory. */
  weigh(learnt: T): number;
}

/** How a thing is stored. */
export interface StoredForm<T> {
  encode(learnt: T): Uint8Array;
  /** What was encoded; undefined when the bytes, which are hostile, are anything else. */
  decode(bytes: Uint8Array): T | undefined;
}

type Known<T> = { readonly learnt: T } | { readonly error: EdgeError };

/** Bytes that a refusal counts. */
const SMALL = 512;

/**
 * What is learnt of objects by looking through them: once for all who wait for it, kept in memory and in the store,
 * refusals too.
 */
export class Learnt<T extends object> {
  /** Running numbers: learnt anew, taken from the store, refused. */
  readonly stats = { compiled: 0, restored: 0, refused: 0 };
  readonly #known: Lru<Known<T>>;
  readonly #underWay = new SingleFlight<Known<T>>();

  /**
   * @param memory bytes of what is kept
   * @param budget what learning may cost
   */
  constructor(
    memory: number,
    private readonly store: SealedStore,
    private readonly budget: Budget,
  ) {
    this.#known = new Lru(memory);
  }

  /** Bytes of what is kept in memory. */
  get bytes(): number {
    return this.#known.bytes;
  }

  /**
   * What is known of an object; `yield*` it.
   * @throws EdgeError `unplayable`, `media_too_large` when the object is refused, and whatever the source throws
   */
  *get(object: MediaObject, lesson: Lesson<T>): Reading<T> {
    const key = `${object.identity} ${lesson.kind}`;
    const known = this.#known.get(key) ?? (yield* this.#underWay.get(key, () => this.#learn(object, lesson, key)));
    if ('error' in known) throw known.error;
    return known.learnt;
  }

  *#learn(object: MediaObject, lesson: Lesson<T>, key: string): Reading<Known<T>> {
    const { stored: form } = lesson;
    const stored = form && this.#restore(object, lesson, form);
    if (stored !== undefined) return this.#keep(key, stored, lesson);
    const source = new MeteredSource(object.source, this.budget);
    try {
      const learnt = yield* lesson.make(source);
      this.stats.compiled++;
      yield* source.turn();
      if (form) this.store.put(object.identity, lesson.kind, form.encode(learnt));
      return this.#keep(key, { learnt }, lesson);
    } catch (error) {
      if (!isAboutTheFile(error)) throw error;
      this.stats.refused++;
      if (form) this.store.refuse(object.identity, this.#refusals(lesson), error);
      return this.#keep(key, { error }, lesson);
    }
  }

  #restore({ identity }: MediaObject, lesson: Lesson<T>, form: StoredForm<T>): Known<T> | undefined {
    const error = this.store.refusal(identity, this.#refusals(lesson));
    const bytes = error === undefined ? this.store.get(identity, lesson.kind) : undefined;
    const learnt = bytes && form.decode(bytes);
    if (error === undefined && learnt === undefined) return undefined;
    this.stats.restored++;
    return error !== undefined ? { error } : { learnt: learnt! };
  }

  /** Under which refusals are stored; holds what they depend on beside the object. */
  #refusals({ kind }: Lesson<T>): string {
    return `refused ${kind} ${this.budget.most?.work ?? this.budget.work}`;
  }

  #keep(key: string, known: Known<T>, lesson: Lesson<T>): Known<T> {
    this.#known.set(key, known, 'learnt' in known ? lesson.weigh(known.learnt) : SMALL);
    return known;
  }
}
