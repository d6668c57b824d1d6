import { isDeepStrictEqual } from 'node:util';
import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import { memoryFile } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import { type DiskWriterFigures, DiskWriterProcess } from './disk-writer-process.js';
import type { EdgeEvents } from './edge-events.js';
import { FREE_SHARE, type MemoryService } from './memory-service.js';

/** The disk tier, when there is one: its writer, and what workers find damaged there. */
export class DiskService implements Service<Config> {
  readonly name = 'disk';
  readonly #log: Log;
  readonly #memory: MemoryService;
  #config: Config;
  #writer: DiskWriterProcess | undefined;
  /** Blocks that workers have found damaged on disk. */
  damagedBlocks = 0;
  #stopped = false;

  constructor({ config, log, events }: ServiceContext<Config, EdgeEvents>, memory: MemoryService) {
    this.#config = config;
    this.#log = log;
    this.#memory = memory;
    events.on('workerGone', exit => {
      if (memory.tier.isWhole) this.#writer?.suspect(exit);
    });
    events.on('damagedBlock', (id, block) => {
      this.damagedBlocks++;
      this.remove(Uint32Array.from(id) as ObjectId, block);
    });
  }

  /** What the writer last said of itself; undefined without a disk tier. */
  get writer(): DiskWriterFigures | undefined {
    return this.#writer?.stats;
  }

  /** Takes a block off the disk, soon. */
  remove(id: ObjectId, block: number): void {
    this.#writer?.remove(id, block);
  }

  async start(): Promise<void> {
    const { disk } = this.#config.cache;
    this.#writer = undefined;
    if (disk.path === undefined || this.#stopped) return;
    this.#writer = new DiskWriterProcess({
      folder: disk.path,
      capacity: disk.size,
      policy: this.#config.cache.memory.policy,
      admit: disk.admit,
      minHits: disk.minHits,
      writeBudget: disk.writeBudget === 'none' ? undefined : disk.writeBudget,
      memoryFile: memoryFile(this.#config),
      memoryDescriptor: this.#memory.tier.descriptor,
      freeShare: FREE_SHARE,
      log: this.#log,
    });
    await this.#writer.start();
  }

  async reconfigure(config: Config): Promise<void> {
    const { disk, memory } = this.#config.cache;
    const next = config.cache;
    this.#config = config;
    if (isDeepStrictEqual(disk, next.disk) && memory.policy === next.memory.policy) return;
    await this.#writer?.stop();
    await this.start();
  }

  stats(): object | undefined {
    return this.#writer && { ...this.#writer.stats, damagedBlocks: this.damagedBlocks };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#writer?.stop();
  }
}
