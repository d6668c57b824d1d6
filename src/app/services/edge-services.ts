import { dirname } from 'node:path';
import type { PurgeRequest, PurgeResult } from '../../admin/purge-request.js';
import { BLOCK_SIZE, type ObjectId } from '../../base/block.js';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeOwnFolder } from '../../base/own-files.js';
import { SharedMemoryTier } from '../../cache/memory/shared-memory-tier.js';
import { LmdbCatalogStore } from '../../catalog/lmdb-catalog-store.js';
import { Purger } from '../../catalog/purge.js';
import { catalogFolders, memoryFile } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Metrics } from '../../observe/metrics.js';
import type { Services, ServicesFactory, ServicesOptions } from '../../supervisor/services.js';
import { WriterProcess } from './disk-writer-process.js';
import { MemoryKeeper } from './memory-keeper.js';
import { purgeEdge } from './purge-service.js';

/** Share of the memory tier that is kept free, so that fills find room at once. */
const FREE_SHARE = 0.02;
/** Signals by which a process ends that touches a damaged page of a mapped file. */
const FAULT_SIGNALS: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT']);

/**
 * Makes the services of the product: the files of the memory tier and the catalog, the disk tier's writer, and purges.
 */
export const edgeServices: ServicesFactory = async options => {
  const { config, log, takeOver } = options;
  const catalog = { ...catalogFolders(config), capacity: config.catalog.size, log };
  // Before the catalog is touched: a second edge on the same files is refused here.
  const tier = openTier(options);
  // While an older edge uses the catalog and the disk tier, looking after them is that one's business.
  if (!takeOver) await LmdbCatalogStore.examine(catalog);
  const services = new EdgeServices(options, tier, new LmdbCatalogStore({ ...catalog, owner: !takeOver }));
  if (!takeOver) await services.activate();
  return services;
};

function openTier({ config, log, takeOver }: ServicesOptions): SharedMemoryTier {
  const { size, fillShare, verify } = config.cache.memory;
  const file = memoryFile(config);
  try {
    makeOwnFolder(dirname(file));
  } catch (cause) {
    const { message } = cause as Error;
    throw new EdgeError(
      'cache_file',
      `the folder of ${file} can't be used (${message}); choose another cache.memory.file`,
      { cause },
    );
  }
  return new SharedMemoryTier({
    file,
    role: 'supervisor',
    size: size === 'auto' ? undefined : size,
    takeOver,
    fillShare,
    verify,
    log,
  });
}

class EdgeServices implements Services {
  readonly #log: Log;
  readonly #tier: SharedMemoryTier;
  readonly #started: Config;
  readonly #catalog: LmdbCatalogStore;
  readonly #purger: Purger;
  #config: Config;
  #writer: WriterProcess | undefined;
  #keeper: MemoryKeeper | undefined;
  /** Blocks that workers have found damaged on disk. */
  #damagedBlocks = 0;
  #closed = false;
  readonly #hopeless: ServicesOptions['hopeless'];

  constructor({ config, log, metrics, hopeless }: ServicesOptions, tier: SharedMemoryTier, catalog: LmdbCatalogStore) {
    this.#started = config;
    this.#config = config;
    this.#log = log;
    this.#hopeless = hopeless;
    this.#tier = tier;
    this.#catalog = catalog;
    this.#purger = new Purger(catalog, tier);
    this.#describe(metrics);
  }

  async activate(): Promise<void> {
    if (this.#keeper !== undefined) return;
    this.#keep();
    this.#catalog.own();
    await this.#startWriter();
  }

  accepts(config: Config): void {
    const [before, after] = [this.#started, config];
    const refuse = (setting: string) => {
      throw new EdgeError(
        'bad_config',
        `${setting} can't be changed by a reload; start the new configuration with: moovedge serve --take-over`,
      );
    };
    if (memoryFile(before) !== memoryFile(after)) refuse('cache.memory.file (or listen.port, which names it)');
    if (before.cache.memory.size !== after.cache.memory.size) refuse('cache.memory.size');
    if (catalogFolders(before).folder !== catalogFolders(after).folder)
      refuse('catalog.path (or cache.disk.path, in which it lies)');
  }

  async reconfigure(config: Config): Promise<void> {
    const { disk } = this.#config.cache;
    this.#config = config;
    this.#keep();
    const next = config.cache.disk;
    if (disk.path === next.path && disk.size === next.size && disk.minHits === next.minHits) return;
    await this.#writer?.stop();
    await this.#startWriter();
  }

  workerGone(how: string): void {
    if (!this.#tier.isWhole) {
      this.#lost();
      return;
    }
    this.#tier.reap();
    this.#writer?.suspect(how.startsWith('SIG') ? (how as NodeJS.Signals) : null);
    if (FAULT_SIGNALS.has(how)) void LmdbCatalogStore.examine(this.#catalogOptions());
  }

  damagedBlock(id: ObjectId, block: number): void {
    this.#damagedBlocks++;
    this.#writer?.remove(id, block);
  }

  async purge(request: PurgeRequest): Promise<PurgeResult> {
    return purgeEdge(this.#purger, this.#config, request);
  }

  inherited(): readonly number[] {
    return [this.#tier.descriptor];
  }

  stats(): object {
    return {
      memory: this.#tier.stats(),
      disk: this.#writer && { ...this.#writer.stats, damagedBlocks: this.#damagedBlocks },
      catalog: { usedBytes: this.#catalog.usedBytes },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#keeper?.close();
    await this.#writer?.stop();
    await this.#catalog.close();
    this.#tier.close();
  }

  #catalogOptions() {
    return { ...catalogFolders(this.#config), capacity: this.#config.catalog.size, log: this.#log };
  }

  async #startWriter(): Promise<void> {
    const { disk } = this.#config.cache;
    this.#writer = undefined;
    if (disk.path === undefined || this.#closed) return;
    this.#writer = new WriterProcess({
      folder: disk.path,
      capacity: disk.size,
      minHits: disk.minHits,
      memoryFile: memoryFile(this.#config),
      memoryDescriptor: this.#tier.descriptor,
      freeShare: FREE_SHARE,
      log: this.#log,
    });
    await this.#writer.start();
  }

  /** With a disk tier, its writer evicts, after it has written. */
  #keep(): void {
    const { memory, disk } = this.#config.cache;
    this.#keeper?.close();
    this.#keeper = new MemoryKeeper({
      tier: this.#tier,
      freeShare: disk.path === undefined ? FREE_SHARE : 0,
      scrubRate: memory.scrubRate,
      lost: () => this.#lost(),
    });
  }

  /**
   * Blocks that workers read are not there any more, and who reads them is ended: only a new file helps, and so a new
   * start.
   */
  #lost(): void {
    const file = memoryFile(this.#config);
    this.#hopeless(
      new EdgeError('cache_file', `somebody has cut off the cache file ${file}; it is made anew at the next start`),
    );
  }

  #describe(metrics: Metrics): void {
    const memory = () => this.#tier.stats();
    metrics.counter('moovedge_blocks_evicted_total', () => {
      const { evictedToDisk, dropped } = memory();
      return [
        [{ to: 'disk' }, evictedToDisk],
        [{ to: 'dropped' }, dropped],
      ];
    });
    metrics.counter('moovedge_checksum_failures_total', () => [
      [{ tier: 'memory' }, memory().checksumFailures],
      [{ tier: 'disk' }, this.#damagedBlocks],
    ]);
    metrics.counter('moovedge_disk_blocks_total', () => {
      const disk = this.#writer?.stats;
      return disk === undefined
        ? []
        : (['written', 'expired', 'dropped'] as const).map(event => [{ event }, disk[event]]);
    });
    metrics.counter('moovedge_disk_failed_commits_total', () => this.#writer?.stats.failedCommits ?? 0);
    metrics.gauge('moovedge_cache_bytes', () => [
      [{ tier: 'memory' }, memory().usedBytes],
      ...(this.#writer === undefined ? [] : [[{ tier: 'disk' }, this.#writer.stats.blocks * BLOCK_SIZE] as const]),
    ]);
    metrics.gauge('moovedge_cache_capacity_bytes', () => [
      [{ tier: 'memory' }, memory().capacityBytes],
      ...(this.#writer === undefined ? [] : [[{ tier: 'disk' }, this.#writer.stats.capacityBytes] as const]),
    ]);
    metrics.gauge('moovedge_memory_blocks', () => {
      const { blocks, filling, pinned } = memory();
      return [
        [{ state: 'used' }, blocks],
        [{ state: 'filling' }, filling],
        [{ state: 'pinned' }, pinned],
      ];
    });
    metrics.gauge('moovedge_memory_oldest_block_seconds', () => memory().oldestAge);
    metrics.counter('moovedge_memory_lookups_total', () => {
      const { hits, misses } = memory();
      return [
        [{ result: 'hit' }, hits],
        [{ result: 'miss' }, misses],
      ];
    });
  }
}
