import { placeOfKey } from './object-identity.js';

/** Where the objects of an origin are, as players see it. */
export interface OriginPaths {
  readonly origin: string;
  /** What stands before their paths there; '' where the origin is asked for the same. */
  readonly base: string;
}

/**
 * Gives of a cache key the origin, and the path and query by which players ask for it; undefined for an origin that is
 * none of `places`.
 */
export function playerPlaces(
  places: readonly OriginPaths[],
): (key: string) => { readonly origin: string; readonly path: string } | undefined {
  const bases = new Map(places.map(({ origin, base }) => [origin, base]));
  return key => {
    const { origin, path } = placeOfKey(key);
    const base = bases.get(origin);
    return base === undefined ? undefined : { origin, path: base + path };
  };
}
