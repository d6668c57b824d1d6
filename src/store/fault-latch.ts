import type { Log } from '../base/log.js';

/**
 * Says once that something has begun to fail and once that it works again, however often it is tried between.
 */
export class FaultLatch {
  readonly #log: Log;
  readonly #fields: object;
  readonly #failing: string;
  readonly #working: string;
  #failed = false;
  /** How often it has failed. */
  count = 0;

  /**
   * @param fields what every line says, such as the path
   * @param failing the sentence when it begins to fail
   * @param working the sentence when it works again
   */
  constructor(log: Log, fields: object, failing: string, working: string) {
    this.#log = log;
    this.#fields = fields;
    this.#failing = failing;
    this.#working = working;
  }

  /** True since it failed last and has not worked since. */
  get failed(): boolean {
    return this.#failed;
  }

  /** It has failed. */
  raise(error: unknown): void {
    this.count++;
    if (this.#failed) return;
    this.#failed = true;
    this.#log.error({ ...this.#fields, error }, this.#failing);
  }

  /** It has worked. */
  clear(): void {
    if (!this.#failed) return;
    this.#failed = false;
    this.#log.info(this.#fields, this.#working);
  }
}
