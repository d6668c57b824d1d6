/** Objects that stay when there are twice as many: those with the most requests. */
const KEPT = 1024;
/** Milliseconds between two times at which all counts become less, and by what. */
const INTERVAL = 5 * 60_000;
const DECAY = 0.89;

/** How much an object has been asked for of late. */
export interface ObjectHeat {
  /** Its cache key. */
  readonly key: string;
  /** Answers, those of half an hour ago counted for half. */
  readonly requests: number;
  /** Bytes of their bodies, likewise. */
  readonly bytes: number;
}

/** The objects that are asked for most, in bounded memory. */
export class HotList {
  readonly #counts = new Map<string, { requests: number; bytes: number }>();
  #nextDecay = performance.now() + INTERVAL;

  /** Counts so many answers of an object, and the bytes of all their bodies. */
  add(key: string, bytes: number, requests = 1): void {
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.requests += requests;
      known.bytes += bytes;
    } else this.#begin(key, bytes, requests);
  }

  /** The `count` objects with the most bytes. */
  top(count: number): ObjectHeat[] {
    this.#decay();
    return hottest(
      [...this.#counts].map(([key, { requests, bytes }]) => ({ key, requests, bytes })),
      count,
    );
  }

  #begin(key: string, bytes: number, requests: number): void {
    if (this.#counts.size >= 2 * KEPT) {
      const byRequests = [...this.#counts].sort(([, a], [, b]) => b.requests - a.requests);
      for (const [cold] of byRequests.slice(KEPT)) this.#counts.delete(cold);
    }
    this.#counts.set(key, { requests, bytes });
  }

  #decay(): void {
    for (; this.#nextDecay <= performance.now(); this.#nextDecay += INTERVAL) {
      for (const [key, count] of this.#counts) {
        count.requests *= DECAY;
        count.bytes *= DECAY;
        if (count.requests < 0.5) this.#counts.delete(key);
      }
    }
  }
}

/** The hottest of lists of several processes, added up. */
export function hottest(heats: readonly ObjectHeat[], count: number): ObjectHeat[] {
  const sums = new Map<string, ObjectHeat>();
  for (const { key, requests, bytes } of heats) {
    const before = sums.get(key);
    sums.set(key, { key, requests: requests + (before?.requests ?? 0), bytes: bytes + (before?.bytes ?? 0) });
  }
  return [...sums.values()]
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, count)
    .map(({ key, requests, bytes }) => ({ key, requests: Math.round(requests), bytes: Math.round(bytes) }));
}
