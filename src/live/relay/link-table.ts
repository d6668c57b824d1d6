import { LEVELS } from '../delivery/link-fields.js';

/** Milliseconds for which a place is kept that nobody has told of. */
const KEPT = 3000;
/** Most edges that another one is sent to at once. */
const SENT_TO = 16;

/** A link of another edge, of which there is one a stream. */
export interface Link {
  readonly stream: string;
  /** Id of the other edge. */
  readonly peer: string;
  /** Another one for each link that is asked for. */
  readonly key: string;
}

/** How often other edges have asked for streams, by what came of it. */
export interface LinkOutcomes {
  /** It has the stream from here. */
  granted: number;
  /** It was told which edges have the stream from here. */
  sentOn: number;
  /** This edge has the stream, but no place, and knows no edge that has. */
  refused: number;
}

interface Place {
  key: string;
  /** Milliseconds of a monotonic clock until which it is kept. */
  until: number;
  /** How often others have been sent to this edge first. */
  sentTo: number;
}

/**
 * Places for other edges of a cluster, of which each stream has only so many at one edge: who finds none at the edge to
 * which the stream is published gets it from those that have one there, and nobody from those. So a stream comes to
 * `places + places²` edges, and is sent by none more often than it may.
 */
export class LinkTable {
  readonly outcomes: LinkOutcomes = { granted: 0, sentOn: 0, refused: 0 };
  /** Places by the ids of edges, by streams. */
  readonly #streams = new Map<string, Map<string, Place>>();
  readonly #most: () => number;
  readonly #now: () => number;

  /**
   * @param most places of a stream
   * @param now milliseconds of a clock that only goes on
   */
  constructor(most: () => number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
  }

  /** Links that there are. */
  get size(): number {
    let size = 0;
    for (const stream of this.#streams.keys()) size += this.#placesOf(stream).size;
    return size;
  }

  /**
   * Another edge wants a stream.
   * @param level of the stream here
   * @returns undefined when it may have it; else ids of edges that it may ask, those first that have been asked least
   */
  ask({ stream, peer, key }: Link, level: number): readonly string[] | undefined {
    const places = this.#placesOf(stream);
    const place = places.get(peer);
    if (level < LEVELS && (place !== undefined || places.size < this.#most())) {
      this.outcomes.granted++;
      places.set(peer, { key, until: this.#now() + KEPT, sentTo: place?.sentTo ?? 0 });
      this.#streams.set(stream, places);
      return undefined;
    }
    const others = level > 0 ? [] : [...places].sort(([, a], [, b]) => a.sentTo - b.sentTo).slice(0, SENT_TO);
    const [first] = others;
    if (first === undefined) this.outcomes.refused++;
    else {
      this.outcomes.sentOn++;
      first[1].sentTo++;
    }
    return others.map(([id]) => id);
  }

  /** A link has ended. */
  leave({ stream, peer, key }: Link): void {
    const places = this.#streams.get(stream);
    if (places?.get(peer)?.key !== key) return;
    places.delete(peer);
    if (places.size === 0) this.#streams.delete(stream);
  }

  /** There are links of these edges still. */
  keep(stream: string, peers: readonly string[]): void {
    const places = this.#placesOf(stream);
    for (const peer of peers) {
      const place = places.get(peer);
      if (place !== undefined) place.until = this.#now() + KEPT;
      // Of another process, which has served this edge before.
      else places.set(peer, { key: '', until: this.#now() + KEPT, sentTo: 0 });
    }
    if (places.size > 0) this.#streams.set(stream, places);
  }

  /** Those that are kept still. */
  #placesOf(stream: string): Map<string, Place> {
    const places = this.#streams.get(stream) ?? new Map<string, Place>();
    for (const [peer, { until }] of places) if (until < this.#now()) places.delete(peer);
    if (places.size === 0) this.#streams.delete(stream);
    return places;
  }
}
