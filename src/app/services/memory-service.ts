import { dirname } from 'node:path';
import { EdgeError } from '../../base/errors.js';
import { makeOwnFolder } from '../../base/own-files.js';
import { SharedMemoryTier } from '../../cache/memory/shared-memory-tier.js';
import { memoryFile, SHARED_FOLDER } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { MemoryKeeper } from './memory-keeper.js';
import { refuseChange } from './refuse-change.js';

/** Share of the memory tier that is kept free, so that fills find room at once. */
export const FREE_SHARE = 0.02;

/** The memory tier's file: made, held for all workers, and looked after. */
export class MemoryService implements Service<Config> {
  readonly name = 'memory';
  readonly tier: SharedMemoryTier;
  /** The workers' `inherited[0]`: the file, whatever becomes of its name. */
  readonly inherited: readonly number[];
  readonly #started: Config;
  readonly #hopeless: (error: EdgeError) => void;
  #config: Config;
  #keeper: MemoryKeeper | undefined;

  /**
   * Opens or makes the file.
   * @throws EdgeError `cache_file`, also when another edge uses the file and is not taken over
   */
  constructor({ config, log, takeOver, events, hopeless }: ServiceContext<Config, EdgeEvents>) {
    this.#started = config;
    this.#config = config;
    this.#hopeless = hopeless;
    const { size, fillShare, verify } = config.cache.memory;
    const file = memoryFile(config);
    if (config.cache.memory.file === 'auto' && dirname(file) !== SHARED_FOLDER) {
      const advice = `give ${SHARED_FOLDER} more room (docker run --shm-size=1g), or name cache.memory.file`;
      log.warn(
        { file },
        `${SHARED_FOLDER} is too small: the memory tier lies on a disk, which costs writes; ${advice}`,
      );
    }
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
    this.tier = new SharedMemoryTier({
      file,
      role: 'supervisor',
      size: size === 'auto' ? undefined : size,
      takeOver,
      fillShare,
      verify,
      log,
    });
    this.inherited = [this.tier.descriptor];
    events.on('workerGone', () => {
      if (this.tier.isWhole) this.tier.reap();
      else this.#lost();
    });
  }

  start(): void {
    this.#keep();
  }

  accepts(config: Config): void {
    if (memoryFile(this.#started) !== memoryFile(config)) {
      refuseChange('cache.memory.file (or listen.port, which names it)');
    }
    if (this.#started.cache.memory.size !== config.cache.memory.size) refuseChange('cache.memory.size');
  }

  reconfigure(config: Config): void {
    this.#config = config;
    this.#keep();
  }

  stats(): object {
    return this.tier.stats();
  }

  stop(): void {
    this.#keeper?.close();
    this.tier.close();
  }

  /** With a disk tier, its writer evicts, after it has written. */
  #keep(): void {
    const { memory, disk } = this.#config.cache;
    this.#keeper?.close();
    this.tier.evictBy(memory.policy);
    this.#keeper = new MemoryKeeper({
      tier: this.tier,
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
}
