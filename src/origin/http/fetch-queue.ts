import { FetchLine } from './fetch-line.js';
import type { QueuedFetch } from './queued-fetch.js';

/** Milliseconds for which a reader may take nothing before its fetch's place may go to one that waits. */
const PATIENCE = 1000;
/** The same for a fetch that would end by it. */
const LAST_PATIENCE = 5000;

/**
 * Bounds the fetches of one origin: so many run, so many wait, and the rest are turned away. Those that wait begin in
 * turn by client, so that nobody waits for more than one fetch of each other client, however many these have. A fetch
 * that several clients wait for begins when the first of them has a turn. A queue that is full makes room for who has
 * fewer in it, by one of those who have most. While some wait, those whose readers take nothing give their places up,
 * those that have stood longest first, so that slow readers can't keep others from the origin.
 */
export class FetchQueue {
  /** Fetches that run. */
  active = 0;
  readonly #limit: number;
  readonly #length: number;
  readonly #waiting = new Set<QueuedFetch>();
  /** By client; whose turn is next comes first. */
  readonly #lines = new Map<string, FetchLine>();
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
    return this.#waiting.size;
  }

  /**
   * Asks for a place. `queued` means that `begin` or `turnAway` will be called; until then `forget` takes it back.
   */
  enter(fetch: QueuedFetch): 'running' | 'queued' | 'full' {
    if (this.active < this.#limit) {
      this.active++;
      return 'running';
    }
    if (this.#waiting.size >= this.#length && !this.#makeRoom(fetch)) return 'full';
    this.#waiting.add(fetch);
    for (const client of fetch.askers.clients) this.#lineUp(client, fetch);
    fetch.askers.joined = client => this.#lineUp(client, fetch);
    this.#relieveLater();
    return 'queued';
  }

  /** Takes back a place in the queue; false when it was not waiting. */
  forget(fetch: QueuedFetch): boolean {
    if (!this.#waiting.delete(fetch)) return false;
    fetch.askers.joined = undefined;
    for (const client of fetch.askers.clients) {
      const line = this.#lines.get(client);
      line?.delete(fetch);
      if (line?.size === 0) this.#lines.delete(client);
    }
    return true;
  }

  /** The reader of a running fetch takes nothing. */
  pause(fetch: QueuedFetch): void {
    if (this.#paused.has(fetch)) return;
    this.#paused.set(fetch, performance.now());
    if (this.#waiting.size > 0) this.#relieveLater();
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

  /** Takes the next of those that wait; its client's others have their turn after all other clients. */
  #next(): QueuedFetch | undefined {
    const [first] = this.#lines;
    if (first === undefined) return undefined;
    const [client, line] = first;
    this.#lines.delete(client);
    this.#lines.set(client, line);
    const next = line.next();
    this.forget(next);
    return next;
  }

  #lineUp(client: string, fetch: QueuedFetch): void {
    const line = this.#lines.get(client) ?? new FetchLine();
    this.#lines.set(client, line);
    line.add(fetch);
  }

  /** Turns away one of the client that has most, if that still has no fewer then than this fetch's clients. */
  #makeRoom({ askers }: QueuedFetch): boolean {
    const own = Math.min(...[...askers.clients].map(client => this.#lines.get(client)?.size ?? 0));
    let longest: FetchLine | undefined;
    for (const line of this.#lines.values()) if (line.size > (longest?.size ?? own + 1)) longest = line;
    const last = longest?.last;
    if (last === undefined) return false;
    this.forget(last);
    last.turnAway();
    return true;
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
    let needed = this.#waiting.size;
    for (const [fetch, since] of [...this.#paused]) {
      if (needed === 0) return;
      if (now - since < patienceWith(fetch)) continue;
      needed--;
      fetch.giveWay();
    }
    if (this.#waiting.size > 0) this.#relieveLater();
  }
}

function patienceWith(fetch: QueuedFetch): number {
  return fetch.resumable ? PATIENCE : LAST_PATIENCE;
}
