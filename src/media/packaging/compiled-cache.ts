import type { EdgeError } from '../../base/errors.js';
import { Lru } from '../../base/lru.js';
import { type Budget, MeteredSource } from '../io/metered-source.js';
import type { Reading } from '../io/reading.js';
import { SingleFlight } from '../io/single-flight.js';
import type { MediaObject } from '../seek/media.js';
import { isAboutTheFile, type SealedStore } from '../seek/sealed-store.js';

/** How one kind of thing is compiled of objects. */
export interface Compilation<T> {
  /** Name and version of its layout, and everything that decides it beside the object. */
  readonly kind: string;
  /** How it is stored, so that it outlives the process; left out for what there may be any number of. */
  readonly stored?: StoredForm<T> | undefined;
  /** Compiles it; `yield*` it. */
  make(source: MeteredSource): Reading<T>;
  /** Bytes that it takes in memory. */
  weigh(compiled: T): number;
}

/** How a thing is stored. */
export interface StoredForm<T> {
  encode(compiled: T): Uint8Array;
  /** What was encoded; undefined when the bytes, which are hostile, are anything else. */
  decode(bytes: Uint8Array): T | undefined;
}

type Known<T> = { readonly compiled: T } | { readonly error: EdgeError };

/** Bytes that a refusal counts. */
const SMALL = 512;

/**
 * Keeps what is compiled of objects, in memory and in the store, and why some are refused; compiles once for all who
 * wait. The planner keeps its indexes by its own rules, since it chooses among formats as it compiles; the store, the
 * budget and the waiting are the same.
 */
export class CompiledCache<T extends object> {
  /** Running numbers: compiled, taken from the store, refused. */
  readonly stats = { compiled: 0, restored: 0, refused: 0 };
  readonly #known: Lru<Known<T>>;
  readonly #underWay = new SingleFlight<Known<T>>();

  /**
   * @param memory bytes of what is kept
   * @param budget what compiling may cost
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
   * What an object comes to; `yield*` it.
   * @throws EdgeError `unplayable`, `media_too_large` when the object is refused, and whatever the source throws
   */
  *get(object: MediaObject, compilation: Compilation<T>): Reading<T> {
    const key = `${object.identity} ${compilation.kind}`;
    const known =
      this.#known.get(key) ?? (yield* this.#underWay.get(key, () => this.#compile(object, compilation, key)));
    if ('error' in known) throw known.error;
    return known.compiled;
  }

  /** Keeps what was come by otherwise. @param weight bytes that it takes in memory */
  put({ identity }: MediaObject, kind: string, compiled: T, weight: number): void {
    this.#known.set(`${identity} ${kind}`, { compiled }, weight);
  }

  *#compile(object: MediaObject, compilation: Compilation<T>, key: string): Reading<Known<T>> {
    const { stored: form } = compilation;
    const stored = form && this.#restore(object, compilation, form);
    if (stored !== undefined) return this.#keep(key, stored, compilation);
    const source = new MeteredSource(object.source, this.budget);
    try {
      const compiled = yield* compilation.make(source);
      this.stats.compiled++;
      yield* source.turn();
      if (form) this.store.put(object.identity, compilation.kind, form.encode(compiled));
      return this.#keep(key, { compiled }, compilation);
    } catch (error) {
      if (!isAboutTheFile(error)) throw error;
      this.stats.refused++;
      if (form) this.store.refuse(object.identity, this.#refusals(compilation), error);
      return this.#keep(key, { error }, compilation);
    }
  }

  #restore({ identity }: MediaObject, compilation: Compilation<T>, form: StoredForm<T>): Known<T> | undefined {
    const error = this.store.refusal(identity, this.#refusals(compilation));
    const bytes = error === undefined ? this.store.get(identity, compilation.kind) : undefined;
    const compiled = bytes && form.decode(bytes);
    if (error === undefined && compiled === undefined) return undefined;
    this.stats.restored++;
    return error !== undefined ? { error } : { compiled: compiled! };
  }

  /** Under which refusals are stored; holds what they depend on beside the object. */
  #refusals({ kind }: Compilation<T>): string {
    return `refused ${kind} ${this.budget.most?.work ?? this.budget.work}`;
  }

  #keep(key: string, known: Known<T>, compilation: Compilation<T>): Known<T> {
    this.#known.set(key, known, 'compiled' in known ? compilation.weigh(known.compiled) : SMALL);
    return known;
  }
}
