import { placeOfKey } from '../catalog/object-identity.js';
import { type OriginPaths, playerPlaces } from '../catalog/player-places.js';
import { hottest, type ObjectHeat } from '../observe/hot-list.js';
import type { EdgeStats } from '../supervisor/supervisor.js';

/** Objects that are told of. */
const TOLD = 50;

/** An object that is asked for much. */
export interface HotObject extends ObjectHeat {
  /** Name of its origin, and the path by which players ask for it. */
  readonly origin: string;
  readonly path: string;
}

/** What each worker tells of what is asked for most, as one. @param places where the objects of origins are */
export function withHottest(
  stats: EdgeStats,
  places: readonly OriginPaths[],
): EdgeStats & { readonly hottest: readonly HotObject[] } {
  const heats = stats.workers.flatMap(
    ({ stats: own }) => (own as { hottest?: readonly ObjectHeat[] } | undefined)?.hottest ?? [],
  );
  const placeOf = playerPlaces(places);
  const told = hottest(heats, TOLD).map(heat => ({ ...heat, ...(placeOf(heat.key) ?? placeOfKey(heat.key)) }));
  return { ...stats, hottest: told };
}
