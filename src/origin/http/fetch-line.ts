import type { QueuedFetch } from './queued-fetch.js';

/**
 * The fetches that wait for one client, in turn by object, and in order of arrival of each object: so that one of
 * which much is asked does not keep all others waiting.
 */
export class FetchLine {
  /** By object; whose turn is next comes first. */
  readonly #waiting = new Map<string, Set<QueuedFetch>>();
  /** Fetches that wait. */
  size = 0;

  add(fetch: QueuedFetch): void {
    const others = this.#waiting.get(fetch.object);
    if (others === undefined) this.#waiting.set(fetch.object, new Set([fetch]));
    else others.add(fetch);
    this.size++;
  }

  delete(fetch: QueuedFetch): void {
    const waiting = this.#waiting.get(fetch.object);
    if (!waiting?.delete(fetch)) return;
    if (waiting.size === 0) this.#waiting.delete(fetch.object);
    this.size--;
  }

  /** The fetch whose turn it is, which stays until it is deleted; its object's next turn comes after all others'. */
  next(): QueuedFetch {
    const [first] = this.#waiting;
    const [object, fetches] = first!;
    this.#waiting.delete(object);
    this.#waiting.set(object, fetches);
    const [fetch] = fetches;
    return fetch!;
  }

  /** Of those that wait for this client alone the one whose turn is furthest away. */
  get last(): QueuedFetch | undefined {
    let last: QueuedFetch | undefined;
    for (const fetches of this.#waiting.values()) {
      for (const fetch of fetches) if (fetch.askers.clients.size === 1) last = fetch;
    }
    return last;
  }
}
