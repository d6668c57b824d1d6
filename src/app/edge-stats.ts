import { placeOfKey } from '../catalog/object-identity.js';
import { hottest, type ObjectHeat } from '../observe/hot-list.js';
import type { EdgeStats } from '../supervisor/supervisor.js';

/** Objects that are told of. */
const TOLD = 50;

/** An object that is asked for much. */
export interface HotObject extends ObjectHeat {
  /** Name of its origin, and its path there. */
  readonly origin: string;
  readonly path: string;
}

/** What each worker tells of what is asked for most, as one. */
export function withHottest(stats: EdgeStats): EdgeStats & { readonly hottest: readonly HotObject[] } {
  const heats = stats.workers.flatMap(
    ({ stats: own }) => (own as { hottest?: readonly ObjectHeat[] } | undefined)?.hottest ?? [],
  );
  return { ...stats, hottest: hottest(heats, TOLD).map(heat => ({ ...heat, ...placeOfKey(heat.key) })) };
}
