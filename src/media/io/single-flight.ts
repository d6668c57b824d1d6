import { EdgeError } from '../../base/errors.js';
import { perform, type Reading, settle } from './reading.js';

/**
 * Attempts of others that may fail before somebody who waited tries without waiting for anybody: each may take long,
 * and a row of them would take that for each of those who wait.
 */
const FAILURES_MAX = 2;

/**
 * Whether whoever waited would only hear the same, and wait once more for as long as an origin may be silent over all
 * tries: a minute and longer, which no player stays for.
 */
function isForAll(error: unknown): boolean {
  return error instanceof EdgeError && error.code === 'origin_timeout';
}

/**
 * Makes a thing once for all who want it at the same time.
 * @typeParam T what is made; one key, one kind of thing
 */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /**
   * What is being made under `key`, or else what `make` comes to; `yield*` it.
   * @param serves whether what others have made is what is wanted here
   */
  *get(key: string, make: () => Reading<T>, serves: (made: T) => boolean = () => true): Reading<T> {
    let failures = 0;
    for (let other = this.#underWay.get(key); other && failures < FAILURES_MAX; other = this.#underWay.get(key)) {
      try {
        const made = yield* settle(other);
        if (serves(made)) return made;
      } catch (error) {
        if (isForAll(error)) throw error;
        // It read through another request's source, which may have ended early; the next one tries with its own.
        failures++;
      }
    }
    const made = perform(make());
    if (!(made instanceof Promise)) return made;
    if (!this.#underWay.has(key)) {
      this.#underWay.set(key, made);
      const done = () => this.#underWay.delete(key);
      made.then(done, done);
    }
    return yield* settle(made);
  }
}
