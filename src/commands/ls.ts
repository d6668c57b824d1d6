import type { CachedObjects } from '../admin/object-list.js';
import type { AdminClient } from './admin-client.js';
import { bytes } from './figures.js';

/** How a list is told. */
export interface ListFlags {
  readonly limit: number;
  readonly json?: boolean;
}

/**
 * Tells what a running edge has cached: an object a line, with its size, what of it is in memory and on disk, and
 * whether it is fresh.
 * @throws EdgeError
 */
export async function ls(
  client: AdminClient,
  prefix: string | undefined,
  { limit, json = false }: ListFlags,
  write: (text: string) => void,
): Promise<void> {
  const { objects, more } = (await client.json('POST', '/ls', { prefix, limit })) as CachedObjects;
  if (json) {
    for (const object of objects) write(`${JSON.stringify(object)}\n`);
    return;
  }
  for (const { path, origin, size, freshness, blocks, tags } of objects) {
    const total = blocks.memory + blocks.disk + blocks.origin;
    const share = (count: number) => `${total === 0 ? 100 : Math.floor((100 * count) / total)}%`.padStart(4);
    const shown = tags.length === 0 ? '' : `  [${tags.join(' ')}]`;
    const tiers = `memory ${share(blocks.memory)}  disk ${share(blocks.disk)}`;
    write(`${bytes(size).padStart(10)}  ${tiers}  ${freshness}  ${origin}  ${path}${shown}\n`);
  }
  write(`${objects.length} ${objects.length === 1 ? 'object' : 'objects'}${more ? ', and there are more' : ''}\n`);
}
