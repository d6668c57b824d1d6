import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SnapshotResult } from '../../admin/control-routes.js';
import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeOwnFolder } from '../../base/own-files.js';
import { SharedMemoryTier } from '../../cache/memory/shared-memory-tier.js';
import { memoryFile, SHARED_FOLDER } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import { MemoryKeeper } from './memory-keeper.js';
import { restoreSnapshot, saveSnapshot } from './memory-snapshot.js';
import { refuseChange } from './refuse-change.js';
import { smallPagesOf } from './small-pages.js';

/** Share of the memory tier that is kept free, so that fills find room at once. */
export const FREE_SHARE = 0.02;

/** The memory tier's file: made, held for all workers, and looked after. */
export class MemoryService implements Service<Config> {
  readonly name = 'memory';
  readonly tier: SharedMemoryTier;
  /** The workers' `inherited[0]`: the file, whatever becomes of its name. */
  readonly inherited: readonly number[];
  readonly #started: Config;
  readonly #log: Log;
  readonly #hurry: AbortSignal;
  readonly #hopeless: (error: EdgeError) => void;
  #config: Config;
  #keeper: MemoryKeeper | undefined;
  #saving: Promise<SnapshotResult> | undefined;
  #isEnding = false;

  private constructor({ config, log, takeOver, events, hopeless, hurry }: ServiceContext<Config, EdgeEvents>) {
    this.#started = config;
    this.#config = config;
    this.#log = log;
    this.#hurry = hurry;
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
    const point = smallPagesOf(file);
    if (point !== undefined) {
      const remedy = `mount -o remount,huge=advise ${point}`;
      log.info({ file, remedy }, 'the memory tier lies in pages of 4 KiB; huge ones make short answers cheaper');
    }
    events.on('workerGone', () => {
      if (this.tier.isWhole) this.tier.reap();
      else this.#lost();
    });
  }

  /**
   * Opens or makes the file; a snapshot takes the place of one that is not there.
   * @throws EdgeError (rejects with) `cache_file`, also when another edge uses the file and is not taken over
   */
  static async open(context: ServiceContext<Config, EdgeEvents>): Promise<MemoryService> {
    const { config, log } = context;
    const { snapshot } = config.cache.memory;
    const file = memoryFile(config);
    if (snapshot === undefined || existsSync(file)) return new MemoryService(context);
    try {
      if (await restoreSnapshot(snapshot, file)) log.info({ file, snapshot }, 'the memory tier begins as its snapshot');
      return new MemoryService(context);
    } catch (error) {
      log.warn(
        { file, snapshot, error: (error as Error).message },
        'the snapshot can not be used: memory begins empty',
      );
      rmSync(file, { force: true });
      return new MemoryService(context);
    }
  }

  start(): void {
    this.#keep();
  }

  leave(): void {
    this.#isEnding = true;
  }

  /**
   * Copies the tier to the snapshot's file.
   * @throws EdgeError (rejects with) `bad_request` where none is configured, `system`
   */
  save(): Promise<SnapshotResult> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #save(): Promise<SnapshotResult> {
    const file = this.#config.cache.memory.snapshot;
    if (file === undefined) throw new EdgeError('bad_request', 'expected a file in cache.memory.snapshot');
    const started = performance.now();
    try {
      const bytes = await saveSnapshot(this.tier.descriptor, file, this.#hurry);
      const saved = { file, bytes, seconds: Math.round((performance.now() - started) / 100) / 10 };
      this.#log.info(saved, 'wrote a snapshot of the memory tier');
      return saved;
    } catch (cause) {
      throw new EdgeError('system', `no snapshot at ${file}: ${(cause as Error).message}`, { cause });
    }
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
    return { file: memoryFile(this.#started), ...this.tier.stats() };
  }

  /** Before the tier is closed, since blocks of one that was not are verified when they are used. */
  async stop(): Promise<void> {
    this.#keeper?.close();
    if (this.#isEnding && this.#config.cache.memory.snapshot !== undefined)
      await this.save().catch(error => this.#log.warn({ error: (error as Error).message }, 'there is no new snapshot'));
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
