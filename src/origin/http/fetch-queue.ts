/** A fetch as its queue sees it. */
export interface QueuedFetch {
  /** Path of its object: those that wait have their turns by object. */
  readonly object: string;
  /** It has a place and may send its request. Called from `leave` of another fetch. */
  begin(): void;
  /** True when a request can go on where this fetch stands; false when giving its place up ends it. */
  readonly resumable: boolean;
  /** Others need the place and its reader takes nothing: must call `leave`. */
  giveWay(): void;
}

/** Milliseconds for which a reader may take nothing before its fetch's place may go to one that waits. */
const PATIENCE = 1000;
/** The same for a fetch that would end by it. */
const LAST_PATIENCE = 5000;

/**
 * Bounds the fetches of one origin: so many run, so many wait, and the rest are turned away. Those that wait begin in
 * turn by object, and in order of arrival of each object, so that one of which much is asked does not keep all others
 * waiting. While some wait, those whose readers take nothing give their places up, those that have stood longest
 * first, so that slow readers can't keep others from the origin.
 */
export class FetchQueue {
  /** Fetches that run. */
  active = 0;
  readonly #limit: number;
  readonly #length: number;
  /** By object; whose turn is next comes first. */
  readonly #waiting = new Map<string, Set<QueuedFetch>>();
  #count = 0;
  /** Running fetches that are paused, in order, and since when (`performance.now()`). */
  readonly #paused = new Map<QueuedFetch, number>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limit most fetches that run
   * @param length most fetches that wait
   */
  constructor(limit: number, length: number) {
    this.#limit = limit;
    this.#length = length;
  }

  /** Fetches that wait. */
  get waiting(): number {
    return this.#count;
  }

  /**
   * Asks for a place. `queued` means that `begin` will be called when it is there; until then `forget` takes it back.
   */
  enter(fetch: QueuedFetch): 'running' | 'queued' | 'full' {
    if (this.active < this.#limit) {
      this.active++;
      return 'running';
    }
    if (this.#count >= this.#length) return 'full';
    const others = this.#waiting.get(fetch.object);
    if (others === undefined) this.#waiting.set(fetch.object, new Set([fetch]));
    else others.add(fetch);
    this.#count++;
    this.#relieveLater();
    return 'queued';
  }

  /** Takes back a place in the queue; false when it was not waiting. */
  forget(fetch: QueuedFetch): boolean {
    const waiting = this.#waiting.get(fetch.object);
    if (!waiting?.delete(fetch)) return false;
    if (waiting.size === 0) this.#waiting.delete(fetch.object);
    this.#count--;
    return true;
  }

  /** The reader of a running fetch takes nothing. */
  pause(fetch: QueuedFetch): void {
    if (this.#paused.has(fetch)) return;
    this.#paused.set(fetch, performance.now());
    if (this.#count > 0) this.#relieveLater();
  }

  /** The reader reads on. */
  resume(fetch: QueuedFetch): void {
    this.#paused.delete(fetch);
  }

  /** A running fetch is over: the next one starts in its place. */
  leave(fetch: QueuedFetch): void {
    this.#paused.delete(fetch);
    const next = this.#next();
    if (next === undefined) this.active--;
    else next.begin();
  }

  /** Takes the next of those that wait; its object's others have their turn after all other objects. */
  #next(): QueuedFetch | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [object, fetches] = first;
    const [next] = fetches;
    fetches.delete(next!);
    this.#count--;
    this.#waiting.delete(object);
    if (fetches.size > 0) this.#waiting.set(object, fetches);
    return next;
  }

  /** Looks for places of stalled readers as soon as one may be taken. */
  #relieveLater(): void {
    if (this.#timer !== undefined) return;
    let wait = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const [fetch, since] of this.#paused) wait = Math.min(wait, since + patienceWith(fetch) - now);
    if (wait === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#relieve();
      },
      Math.max(0, wait),
    );
    this.#timer.unref();
  }

  #relieve(): void {
    const now = performance.now();
    let needed = this.#count;
    for (const [fetch, since] of [...this.#paused]) {
      if (needed === 0) return;
      if (now - since < patienceWith(fetch)) continue;
      needed--;
      fetch.giveWay();
    }
    if (this.#count > 0) this.#relieveLater();
  }
}

function patienceWith(fetch: QueuedFetch): number {
  return fetch.resumable ? PATIENCE : LAST_PATIENCE;
}
