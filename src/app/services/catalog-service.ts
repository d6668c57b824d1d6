import { isMemoryFault } from '../../base/exit-status.js';
import type { Log } from '../../base/log.js';
import { LmdbCatalogStore } from '../../catalog/lmdb-catalog-store.js';
import { catalogFolders } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { refuseChange } from './refuse-change.js';

/** The catalog's files: examined before anybody opens them, and after a process that had them open died of them. */
export class CatalogService implements Service<Config> {
  readonly name = 'catalog';
  readonly store: LmdbCatalogStore;
  readonly #started: Config;
  #config: Config;

  private constructor({ config, log, takeOver, events }: ServiceContext<Config, EdgeEvents>) {
    this.#started = config;
    this.#config = config;
    this.store = new LmdbCatalogStore({ ...placeOf(config, log), owner: !takeOver });
    events.on('workerGone', exit => {
      if (isMemoryFault(exit)) void LmdbCatalogStore.examine(placeOf(this.#config, log));
    });
  }

  /** While an older edge uses the catalog, looking after it is that one's business. */
  static async open(context: ServiceContext<Config, EdgeEvents>): Promise<CatalogService> {
    if (!context.takeOver) await LmdbCatalogStore.examine(placeOf(context.config, context.log));
    return new CatalogService(context);
  }

  start(): void {
    this.store.own();
  }

  accepts(config: Config): void {
    if (catalogFolders(this.#started).folder !== catalogFolders(config).folder) {
      refuseChange('catalog.path (or cache.disk.path, in which it lies)');
    }
  }

  reconfigure(config: Config): void {
    this.#config = config;
  }

  stats(): object {
    return { usedBytes: this.store.usedBytes };
  }

  async stop(): Promise<void> {
    await this.store.close();
  }
}

function placeOf(config: Config, log: Log) {
  return { ...catalogFolders(config), capacity: config.catalog.size, log };
}
