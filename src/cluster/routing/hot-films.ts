/** Milliseconds in which requests for films are counted together. */
const WINDOW = 5000;
/** Most films that are counted in a window, and requests in it below which none is hot. */
const FILMS_MAX = 8192;
const REQUESTS_MIN = 50;
/** Share of an edge's fair load above which a film is hot. */
const HOT_SHARE = 0.02;
/** Milliseconds for which a film stays hot after it was found to be. */
const LIFETIME = 30_000;

/** That a film should be on so many edges beside its owner, and for how long. */
export interface Heat {
  readonly copies: number;
  /** Milliseconds of a monotonic clock. */
  readonly until: number;
}

/** Told of the edge's place among the others. */
export interface Fairness {
  /** What the edge's load would be if all had the same, as a multiple of what it is. */
  ratio(): number;
  /** Other edges of the zone that serve. */
  others(): number;
}

/**
 * The films that so many watch that their owner alone would have too much of them: each gets copies in proportion. The
 * owner counts what comes to it, which is one part of as many as there are places of the film.
 */
export class HotFilms {
  readonly #fairness: Fairness;
  readonly #window: number;
  readonly #hot = new Map<string, Heat>();
  #counts = new Map<string, number>();
  #total = 0;
  #windowEnd = 0;

  /** @param window milliseconds in which requests are counted together */
  constructor(fairness: Fairness, window = WINDOW) {
    this.#fairness = fairness;
    this.#window = window;
  }

  /** A request for a film of this edge has come, from a player or by way of another edge. */
  count(film: string, now: number): void {
    if (now >= this.#windowEnd) this.#close(now);
    this.#total++;
    const before = this.#counts.get(film);
    if (before !== undefined || this.#counts.size < FILMS_MAX) this.#counts.set(film, (before ?? 0) + 1);
  }

  /** Whether a film is hot. */
  of(film: string, now: number): Heat | undefined {
    const heat = this.#hot.get(film);
    if (heat === undefined || heat.until > now) return heat;
    this.#hot.delete(film);
    return undefined;
  }

  #close(now: number): void {
    const bound = Math.max(1, HOT_SHARE * this.#total * this.#fairness.ratio());
    const others = this.#fairness.others();
    const counts = this.#total < REQUESTS_MIN || others === 0 ? [] : this.#counts;
    for (const [film, count] of counts) {
      const places = 1 + (this.of(film, now)?.copies ?? 0);
      const copies = Math.min(others, Math.ceil((count * places) / bound) - 1);
      if (copies > 0) this.#hot.set(film, { copies, until: now + LIFETIME });
    }
    this.#counts = new Map();
    this.#total = 0;
    this.#windowEnd = now + this.#window;
  }
}

/** Share of an edge's cache that copies of other edges' films may take. */
const COPIES_SHARE = 1 / 8;

/** The hot films of other owners, as these tell of them, as far as there is room for copies. */
export class HotCopies {
  readonly #films = new Map<string, Heat & { readonly size: number }>();
  readonly #capacity: number;
  #bytes = 0;

  /** @param capacity bytes of the edge's cache */
  constructor(capacity: number) {
    this.#capacity = capacity * COPIES_SHARE;
  }

  /** The owner's answer says so of a film of `size` bytes. */
  learn(film: string, heat: Heat, size: number): void {
    this.#forget(film);
    if (heat.copies === 0 || this.#bytes + size > this.#capacity) return;
    this.#films.set(film, { ...heat, size });
    this.#bytes += size;
  }

  /** Edges beside the owner that have a film; 0 for most. */
  copies(film: string, now: number): number {
    const known = this.#films.get(film);
    if (known === undefined) return 0;
    if (known.until > now) return known.copies;
    this.#forget(film);
    return 0;
  }

  #forget(film: string): void {
    const known = this.#films.get(film);
    if (known === undefined) return;
    this.#films.delete(film);
    this.#bytes -= known.size;
  }
}
