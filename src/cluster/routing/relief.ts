/** Milliseconds between two changes of what an edge keeps: loads follow what was changed by some seconds. */
const STEP = 1000;
/** How much of what is too much is given away at a time. */
const HASTE = 0.3;
/** The least share of its viewers that an edge keeps. */
const KEPT_MIN = 0.05;

/**
 * Which share of its viewers an edge keeps that has more than its bound. What it has is what is left of what was asked
 * of it, so the share is found step by step: it would come to rest half-way if it went by the load alone.
 */
export class Relief {
  readonly #kept = new Map<string, { share: number; at: number }>();

  /**
   * @param load of the edge, as it is known
   * @param bound that it should have at most, above 0
   * @param now milliseconds of a monotonic clock
   * @returns 0 to 1
   */
  share(id: string, load: number, bound: number, now: number): number {
    const kept = this.#kept.get(id);
    if (kept === undefined) {
      if (load <= bound) return 1;
      this.#kept.set(id, { share: bound / load, at: now });
      return bound / load;
    }
    if (now - kept.at >= STEP) {
      kept.share = Math.max(KEPT_MIN, kept.share * (bound / Math.max(load, bound / 4)) ** HASTE);
      kept.at = now;
      if (kept.share >= 1) this.#kept.delete(id);
    }
    return Math.min(1, kept.share);
  }
}
