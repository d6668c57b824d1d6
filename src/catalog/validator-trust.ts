import { hasValidator, sameVersion } from '../origin/fields.js';
import type { Validator } from '../origin/origin.js';

/** Of an answer that can't be told from those of other versions. */
export const NO_VALIDATOR: Validator = { etag: undefined, lastModified: undefined };
/**
 * A version that another one replaces within so many milliseconds may not have been one: the origin may make up a
 * validator for each answer.
 */
const UNSTABLE_WITHIN = 60_000;
/** Most URLs of which is remembered that their validators are not to be trusted. */
const UNSTABLE_MAX = 1000;

/**
 * Which URLs have validators that tell versions apart: all, but those where they change with each answer or too soon.
 */
export class ValidatorTrust {
  readonly #now: () => number;
  /** By cache key: the last validator, and since when it is the last (milliseconds since 1970). */
  readonly #unstable = new Map<string, { readonly validator: Validator; readonly since: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * What the version of an answer can be told by: its validator, or nothing when the origin has given different ones of
   * late. One that stays for a while is trusted again.
   */
  trusted(key: string, validator: Validator): Validator {
    const last = this.#unstable.get(key);
    if (last === undefined || !hasValidator(validator)) return validator;
    if (!sameVersion(last.validator, validator)) this.#distrust(key, validator);
    else if (this.#now() - last.since >= UNSTABLE_WITHIN) {
      this.#unstable.delete(key);
      return validator;
    }
    return NO_VALIDATOR;
  }

  /** A version was found to be no more the origin's; `since` is when this process first had it (ms since 1970). */
  gaveWay(key: string, validator: Validator, since: number): void {
    if (this.#now() - since < UNSTABLE_WITHIN) this.#distrust(key, validator);
  }

  #distrust(key: string, validator: Validator): void {
    if (!hasValidator(validator)) return;
    if (this.#unstable.size >= UNSTABLE_MAX) this.#unstable.clear();
    this.#unstable.set(key, { validator, since: this.#now() });
  }
}
