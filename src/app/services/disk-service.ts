import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import type { DiskWriterStats } from '../../cache/disk/disk-writer.js';
import { memoryFile } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import { DiskWriterProcess } from './disk-writer-process.js';
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
      this.#writer?.remove(Uint32Array.from(id) as ObjectId, block);
    });
  }

  /** What the writer last said of itself; undefined without a disk tier. */
  get writer(): DiskWriterStats | undefined {
    return this.#writer?.stats;
  }

  async start(): Promise<void> {
    const { disk } = this.#config.cache;
    this.#writer = undefined;
    if (disk.path === undefined || this.#stopped) return;
    this.#writer = new DiskWriterProcess({
      folder: disk.path,
      capacity: disk.size,
      minHits: disk.minHits,
      memoryFile: memoryFile(this.#config),
      memoryDescriptor: this.#memory.tier.descriptor,
      freeShare: FREE_SHARE,
      log: this.#log,
    });
    await this.#writer.start();
  }

  async reconfigure(config: Config): Promise<void> {
    const { disk } = this.#config.cache;
    const next = config.cache.disk;
    this.#config = config;
    if (disk.path === next.path && disk.size === next.size && disk.minHits === next.minHits) return;
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
