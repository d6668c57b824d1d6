import { hasValidator, sameVersion } from '../origin/fields.js';
import type { Validator } from '../origin/origin.js';

/** Of an answer that can't be told from those of other versions. */
export const NO_VALIDATOR: Validator = { etag: undefined, lastModified: undefined };
/**
 * A version that another one replaces within so many milliseconds may not have been one: the origin may make up a
 * validator for each answer, or ask servers that have validators of their own.
 */
const SOON = 60_000;
/**
 * Milliseconds for which the next validator has to stay: a file may be overwritten soon after it was seen first. Dates
 * that are made up for each answer change with the second.
 */
const STAYS = 2000;
/** The same when there was more of it within `REMEMBERED`, or a validator that contradicts another one. */
const STAYS_LONG = 60_000;
const REMEMBERED = 600_000;
/** Most URLs of which is remembered that their validators were replaced soon. */
const DOUBTS_MAX = 1000;

interface Doubt {
  /** The last validator, and since when it is the last (milliseconds since 1970). */
  readonly validator: Validator;
  readonly since: number;
  /** The validator is that of the version that is gone: another one is to come. */
  readonly isGone: boolean;
  /** Milliseconds for which a validator has to stay. */
  readonly stays: number;
}

/**
 * Which URLs have validators that tell versions apart: all, but those where they change with each answer or too soon.
 */
export class ValidatorTrust {
  readonly #now: () => number;
  /** By cache key. */
  readonly #doubts = new Map<string, Doubt>();
  /** Keys of doubts that are over, and until when they are remembered (milliseconds since 1970). */
  readonly #doubted = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * What the version of an answer can be told by: its validator, or nothing when the origin has given different ones of
   * late. One that stays for a while is trusted again.
   */
  trusted(key: string, validator: Validator): Validator {
    const last = this.#doubts.get(key);
    if (last === undefined || !hasValidator(validator)) return validator;
    const isSame = sameVersion(last.validator, validator);
    if (isSame === last.isGone) this.#doubt(key, validator, false, STAYS_LONG);
    else if (!isSame) this.#doubt(key, validator, false, last.stays);
    else if (this.#now() - last.since >= last.stays) {
      this.#doubts.delete(key);
      return validator;
    }
    return NO_VALIDATOR;
  }

  /** A version was found to be no more the origin's; `since` is when this process first had it (ms since 1970). */
  gaveWay(key: string, validator: Validator, since: number): void {
    const now = this.#now();
    if (now - since >= SOON || !hasValidator(validator)) return;
    this.#doubt(key, validator, true, (this.#doubted.get(key) ?? 0) > now ? STAYS_LONG : STAYS);
  }

  #doubt(key: string, validator: Validator, isGone: boolean, stays: number): void {
    if (this.#doubts.size >= DOUBTS_MAX) this.#doubts.clear();
    if (this.#doubted.size >= DOUBTS_MAX) this.#doubted.clear();
    const since = this.#now();
    this.#doubts.set(key, { validator, since, isGone, stays });
    this.#doubted.set(key, since + REMEMBERED);
  }
}
