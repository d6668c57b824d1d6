import type { ExplainedObject, Explanation } from '../../admin/explanation.js';
import type { EdgeUrl } from '../../admin/purge-request.js';
import type { Log } from '../../base/log.js';
import { type Place, PlaceList, plainPath } from '../../base/places.js';
import type { DiskIndex } from '../../cache/disk/disk-index.js';
import type { MemoryTier } from '../../cache/memory/memory-tier.js';
import type { CatalogStore } from '../../catalog/catalog-store.js';
import { EntryCache } from '../../catalog/entry-cache.js';
import { idText, objectKey } from '../../catalog/object-identity.js';
import { Purges } from '../../catalog/purge.js';
import type { Config } from '../../config/schema.js';
import type { Service } from '../../supervisor/service.js';
import { OriginTable } from '../origins/origin-table.js';
import { viewsOf } from './edge-views.js';
import { openDisk } from './open-disk.js';
import { objectsOf } from './purge-service.js';
import { blocksOf, toldFreshness } from './stored-state.js';

/** Bytes of entries that are kept from one question to the next. */
const ENTRIES = 64 * 1024;

/** Tells why a URL is answered as it is: its route, key, origin, freshness, and where its blocks are. */
export class ExplainService implements Service<Config> {
  readonly name = 'explanations';
  readonly #tier: MemoryTier;
  readonly #entries: EntryCache;
  readonly #log: Log;
  #config: Config;

  constructor(config: Config, store: CatalogStore, tier: MemoryTier, log: Log) {
    this.#config = config;
    this.#tier = tier;
    this.#log = log;
    this.#entries = new EntryCache(store, tier, new Purges(store, tier), ENTRIES, () => {});
  }

  reconfigure(config: Config): void {
    this.#config = config;
  }

  stop(): void {}

  /**
   * What is known of a URL, and of each object that its answer is made of as far as the URL tells.
   * @throws EdgeError `bad_request`
   */
  explain(url: EdgeUrl): Explanation {
    const config = this.#config;
    const at = [url.host ?? '', plainPath(url.path)] as const;
    const disk = openDisk(config, this.#log);
    try {
      return {
        routes: new PlaceList(config.routes).indexes(...at).map(i => shown(config.routes[i]!, i)),
        access: new PlaceList(config.access).indexes(...at).map(i => shown(config.access[i]!, i))[0],
        objects: objectsOf(config, viewsOf(config), url).map(each => this.#object(each, disk)),
      };
    } finally {
      disk?.close();
    }
  }

  #object({ host = '', path, query }: EdgeUrl, disk: DiskIndex | undefined): ExplainedObject {
    const match = new OriginTable(this.#config.origins, this.#config.routes).find(host, path);
    if (match === undefined) return { path };
    const address = match.addressing.address(match.path, query);
    const key = objectKey(match.rule.name, address.path, address.keyQuery);
    const asked = address.query === '' ? address.path : `${address.path}?${address.query}`;
    const told = { path, origin: match.rule.name, asked, key };
    const cached = this.#entries.find(key, key);
    const entry = cached?.entry;
    if (cached === undefined || entry === undefined) return { ...told, stored: 'no' };
    if (entry.kind === 'vary') return { ...told, stored: 'by fields', vary: entry.names };
    if (entry.kind === 'error') return { ...told, stored: 'refusal', status: entry.error.status };
    if (entry.kind !== 'object') return { ...told, stored: 'never' };
    return {
      ...told,
      stored: 'yes',
      ...toldFreshness(entry, cached.markedStale),
      id: idText(entry.object.id),
      size: entry.object.size,
      blocks: blocksOf(entry, this.#tier, disk),
    };
  }
}

/** A place, as people know it from their file. */
function shown({ host, path }: Place, i: number): string {
  return `${i + 1}: ${host ?? '*'}${path}`;
}
