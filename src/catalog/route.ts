import type { Origin } from '../origin/origin.js';
import type { FreshnessOptions } from './rfc9111/freshness.js';

/** Where an object comes from. */
export interface Route {
  readonly origin: Origin;
  /** Percent-encoded path to ask the origin for, and the query that goes with it, without '?'. */
  readonly path: string;
  readonly query: string;
  /** Cache key, as `objectKey` makes it of the origin, the path and the part of the query that tells objects apart. */
  readonly key: string;
  /** Names of the fields of the player's request that go on to the origin, in lower case. */
  readonly forward: readonly string[];
  /**
   * Milliseconds for which an answer that says nothing of its freshness is fresh, in place of heuristic and default;
   * for origins that are cheap to ask, such as a directory.
   */
  readonly defaultLifetime?: number | undefined;
  /** Where freshness is another than everywhere: what differs. Its default goes before `defaultLifetime`. */
  readonly freshness?: Partial<FreshnessOptions> | undefined;
  /** Fields that the origin is sent, whatever the player sends; names in lower case. */
  readonly set?: Readonly<Record<string, string>> | undefined;
}

/** Finds the origin of a request; undefined when there is none for it. */
export type Router = (host: string, path: string, query: string) => Route | undefined;
