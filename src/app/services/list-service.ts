import type { CachedObjects, ListedObject, ListRequest } from '../../admin/object-list.js';
import type { Log } from '../../base/log.js';
import { normalPath } from '../../base/percent.js';
import type { DiskIndex } from '../../cache/disk/disk-index.js';
import type { MemoryTier } from '../../cache/memory/memory-tier.js';
import type { CatalogStore } from '../../catalog/catalog-store.js';
import type { ObjectEntry } from '../../catalog/entry.js';
import { decodeEntry, objectHead } from '../../catalog/entry-record.js';
import { placeOfKey } from '../../catalog/object-identity.js';
import { playerPlaces } from '../../catalog/player-places.js';
import { Purges } from '../../catalog/purge.js';
import { tagsOf } from '../../catalog/tags.js';
import type { Config } from '../../config/schema.js';
import type { Service } from '../../supervisor/service.js';
import { openDisk } from './open-disk.js';
import { placesOf } from './origin-places.js';
import { prefixKeys } from './purge-service.js';
import { blocksOf, toldFreshness } from './stored-state.js';

/** Milliseconds that a list may take. */
const TIME_MAX = 5000;

/** Lists what the cache knows. */
export class ListService implements Service<Config> {
  readonly name = 'lists';
  readonly #store: CatalogStore;
  readonly #tier: MemoryTier;
  readonly #purges: Purges;
  readonly #log: Log;
  #config: Config;

  constructor(config: Config, store: CatalogStore, tier: MemoryTier, log: Log) {
    this.#config = config;
    this.#store = store;
    this.#tier = tier;
    this.#log = log;
    this.#purges = new Purges(store, tier);
  }

  reconfigure(config: Config): void {
    this.#config = config;
  }

  stop(): void {}

  /**
   * Objects whose path begins with a prefix, in order. Goes through the catalog page by page, so that other work has
   * its turn.
   */
  async list({ prefix, limit }: ListRequest): Promise<CachedObjects> {
    const end = performance.now() + TIME_MAX;
    const beginnings = prefix === undefined ? undefined : prefixKeys(this.#config, prefix).map(normalPath);
    const placeOf = playerPlaces(placesOf(this.#config));
    const found: ObjectEntry[] = [];
    let more = false;
    for (const page of this.#store.entries()) {
      for (const record of page) {
        const key = objectHead(record)?.key;
        if (key === undefined || beginnings?.some(each => normalPath(key.split('?', 1)[0]!).startsWith(each)) === false)
          continue;
        const entry = decodeEntry(record, key);
        if (entry?.kind === 'object' && !this.#purges.isPurged(entry)) found.push(entry);
      }
      more = performance.now() > end;
      if (more) break;
      await new Promise(resolve => setImmediate(resolve));
    }
    found.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
    const disk = openDisk(this.#config, this.#log);
    try {
      const objects = found
        .slice(0, limit)
        .map(entry => this.#described(entry, placeOf(entry.primary) ?? placeOfKey(entry.primary), disk));
      return { objects, more: more || found.length > limit };
    } finally {
      disk?.close();
    }
  }

  #described(entry: ObjectEntry, place: ReturnType<typeof placeOfKey>, disk: DiskIndex | undefined): ListedObject {
    const { key, primary, object, fields } = entry;
    const { runs: _, ...blocks } = blocksOf(entry, this.#tier, disk);
    const isMarked = entry.validated < this.#purges.marks(primary).soft;
    return {
      key,
      ...place,
      size: object.size,
      ...toldFreshness(entry, isMarked),
      blocks,
      tags: tagsOf(fields),
    };
  }
}
