import type { ExplainedObject } from '../../admin/explanation.js';
import { BLOCK_SIZE } from '../../base/block.js';
import type { DiskIndex } from '../../cache/disk/disk-index.js';
import type { MemoryTier } from '../../cache/memory/memory-tier.js';
import type { ObjectEntry } from '../../catalog/entry.js';
import { ageOf, stalenessOf } from '../../catalog/rfc9111/freshness.js';

/** What people are told of a stored object. */
type Told = Required<ExplainedObject>;

/** How fresh a stored object is. @param isMarked it has been marked stale */
export function toldFreshness(
  { freshness }: Pick<ObjectEntry, 'freshness'>,
  isMarked: boolean,
): Pick<Told, 'freshness' | 'age' | 'lifetime'> {
  const now = Date.now();
  return {
    freshness: stalenessOf(freshness, now, isMarked) < 0 ? 'fresh' : 'stale',
    age: Math.floor(ageOf(freshness, now) / 1000),
    lifetime: Math.floor(freshness.lifetime / 1000),
  };
}

/** How many blocks of a stored object would come from which tier, and which. */
export function blocksOf(
  { object: { id, size } }: Pick<ObjectEntry, 'object'>,
  memory: MemoryTier,
  disk: DiskIndex | undefined,
): Told['blocks'] {
  const blocks = { memory: 0, disk: 0, origin: 0 };
  const runs: [tier: keyof typeof blocks, count: number][] = [];
  const count = Math.ceil(size / BLOCK_SIZE);
  for (let block = 0; block < count; block++) {
    const tier = memory.has(id, block) ? 'memory' : disk?.has(id, block) === true ? 'disk' : 'origin';
    blocks[tier]++;
    const last = runs.at(-1);
    if (last?.[0] === tier) last[1]++;
    else runs.push([tier, 1]);
  }
  return { ...blocks, runs };
}
