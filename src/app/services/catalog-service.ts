import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isMemoryFault } from '../../base/exit-status.js';
import type { Log } from '../../base/log.js';
import { type CatalogPlace, LmdbCatalogStore } from '../../catalog/lmdb-catalog-store.js';
import { catalogFolders, isCatalogOf, memoryFile } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { refuseChange } from './refuse-change.js';

/** The catalog's files: examined before anybody opens them, and after a process that had them open died of them. */
export class CatalogService implements Service<Config> {
  readonly name = 'catalog';
  readonly store: LmdbCatalogStore;
  readonly #secret: string;
  readonly #started: Config;
  #config: Config;

  private constructor({ config, log, takeOver, events }: ServiceContext<Config, EdgeEvents>, secret: string) {
    this.#secret = secret;
    this.#started = config;
    this.#config = config;
    this.store = new LmdbCatalogStore({ ...placeOf(config, secret, log), owner: !takeOver });
    events.on('workerGone', exit => {
      if (isMemoryFault(exit)) void LmdbCatalogStore.examine(placeOf(this.#config, secret, log));
    });
  }

  /**
   * While an older edge uses the catalog, looking after it is that one's business.
   * @param secret of the memory tier
   */
  static async open(context: ServiceContext<Config, EdgeEvents>, secret: string): Promise<CatalogService> {
    const { config, log, takeOver } = context;
    if (!takeOver) {
      forgetOthers(config, secret, log);
      await LmdbCatalogStore.examine(placeOf(config, secret, log));
    }
    return new CatalogService(context, secret);
  }

  start(): void {
    this.store.own();
  }

  accepts(config: Config): void {
    const [before, after] = [this.#started, config].map(each => catalogFolders(each, this.#secret).folder);
    if (before !== after) refuseChange('catalog.path (or cache.disk.path, in which it lies)');
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

function placeOf(config: Config, secret: string, log: Log): CatalogPlace {
  return { ...catalogFolders(config, secret), capacity: config.catalog.size, log };
}

/** Removes this user's catalogs that belonged to memory files of the same name which are no more. */
function forgetOthers(config: Config, secret: string, log: Log): void {
  const file = memoryFile(config);
  const own = basename(catalogFolders(config, secret).recent);
  for (const name of readdirSync(dirname(file))) {
    if (name === own || !isCatalogOf(name, file)) continue;
    const folder = join(dirname(file), name);
    try {
      const status = lstatSync(folder);
      if (status.isDirectory() && status.uid === process.geteuid?.()) rmSync(folder, { recursive: true });
    } catch (error) {
      log.warn({ folder, error }, 'the catalog of a memory tier that is no more can not be removed');
    }
  }
}
