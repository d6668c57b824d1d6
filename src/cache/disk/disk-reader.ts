import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import type { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import type { StoreTable } from '../../store/table.js';
import { BLOCK_KEY_BYTES, type Checksum, readValue, ringKey, writeBlockKey } from './disk-record.js';
import { diskFile, openForReading } from './disk-store.js';
import type { DiskTier } from './disk-tier.js';

/** What a disk reader is made with. */
export interface DiskReaderOptions {
  /** Folder of the tier. */
  folder: string;
  /** Most bytes of the tier on disk, as its writer was told. */
  capacity: number;
  /** Computes the checksum of a block; the writer's must be the same. */
  checksum: Checksum;
  log: Log;
  /** Loads under way at once; each takes a thread of libuv's pool. Default `CONCURRENCY`. */
  concurrency?: number;
  /** Loads waiting for their turn before further ones are refused as misses; default `MAX_QUEUE`. */
  maxQueue?: number;
  /** Milliseconds from `load` after which a load is given up as a miss; default `TIMEOUT`. */
  timeout?: number;
  /** Milliseconds between looks at whether the writer has begun a new file; default `CHECK_INTERVAL`. */
  checkInterval?: number;
  /** Told of a block whose value is damaged, so that the writer can remove it. */
  onDamage?: (id: ObjectId, block: number) => void;
  /** Told how long each load took, in seconds. */
  observe?: (seconds: number) => void;
}

/** Counters of a disk reader. */
export interface DiskReaderStats {
  /** Blocks brought, and their bytes. */
  loads: number;
  loadedBytes: number;
  /** Loads of blocks that were not there any more. */
  misses: number;
  /** Values that were not what was written. */
  checksumFailures: number;
  /** Reads that LMDB refused. */
  failedReads: number;
  /** Loads that took too long or found the queue full. */
  refused: number;
}

interface Load {
  readonly blockKey: Buffer;
  readonly id: ObjectId;
  readonly block: number;
  readonly length: number;
  readonly started: number;
  done: ((bytes: Uint8Array | undefined) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Of the four threads of libuv's pool, so that name resolution and files of origins have some. */
const CONCURRENCY = 2;
const MAX_QUEUE = 1024;
/** Milliseconds. */
const TIMEOUT = 2000;
const CHECK_INTERVAL = 1000;
/** Damaged blocks that are remembered, so that each is read and reported once. */
const MAX_DAMAGED = 1024;

/**
 * The reading end of the disk tier, one in each worker. Pages come into memory on another thread; what runs on the
 * event loop is a lookup, one copy out of the page cache and a checksum. Wrong bytes never leave it: the ring may
 * overwrite a block while it is read, and then its key or checksum does not fit.
 *
 * It works without a tier, too: until there is an environment that can be opened, every block is a miss.
 */
export class DiskReader implements DiskTier {
  readonly #options: DiskReaderOptions;
  readonly #concurrency: number;
  readonly #maxQueue: number;
  readonly #timeout: number;
  readonly #fault: FaultLatch;
  readonly #lookupKey = Buffer.alloc(BLOCK_KEY_BYTES);
  readonly #queue: Load[] = [];
  readonly #damaged = new Set<string>();
  readonly #check: NodeJS.Timeout;
  #environment: Environment | undefined;
  #index: StoreTable | undefined;
  #blocks: StoreTable | undefined;
  /** Loads that hold a thread, and how many of those were given up because the disk does not answer. */
  #running = 0;
  #stuck = 0;
  #closed = false;
  readonly stats: DiskReaderStats = {
    loads: 0,
    loadedBytes: 0,
    misses: 0,
    checksumFailures: 0,
    failedReads: 0,
    refused: 0,
  };

  constructor(options: DiskReaderOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? CONCURRENCY;
    this.#maxQueue = options.maxQueue ?? MAX_QUEUE;
    this.#timeout = options.timeout ?? TIMEOUT;
    this.#fault = new FaultLatch(
      options.log,
      { path: diskFile(options.folder) },
      'the disk tier can not be read; its blocks are fetched from the origin until it can',
      'the disk tier can be read again',
    );
    this.#open();
    this.#check = setInterval(() => this.#lookAgain(), options.checkInterval ?? CHECK_INTERVAL).unref();
  }

  has(id: ObjectId, block: number): boolean {
    // While every thread waits for a disk that does not answer, there is no use in asking for more.
    if (this.#index === undefined || this.#stuck >= this.#concurrency) return false;
    const key = writeBlockKey(this.#lookupKey, id, block);
    try {
      return this.#index.has(key) && (this.#damaged.size === 0 || !this.#damaged.has(key.toString('latin1')));
    } catch (error) {
      this.#failedRead(error);
      return false;
    }
  }

  load(id: ObjectId, block: number, length: number, done: (bytes: Uint8Array | undefined) => void): void {
    if (this.#blocks === undefined || this.#stuck >= this.#concurrency || this.#queue.length >= this.#maxQueue) {
      this.stats.refused++;
      setImmediate(done, undefined);
      return;
    }
    const load: Load = {
      blockKey: writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block),
      id,
      block,
      length,
      started: performance.now(),
      done,
      timer: undefined,
    };
    load.timer = setTimeout(() => this.#giveUp(load), this.#timeout);
    this.#queue.push(load);
    // Deferred, so that `done` is never called from within this call.
    if (this.#queue.length === 1) setImmediate(() => this.#startLoads());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#check);
    void this.#closeEnvironment();
    for (const load of this.#queue.splice(0)) this.#finish(load, undefined);
  }

  #startLoads(): void {
    while (this.#running < this.#concurrency) {
      const load = this.#queue.shift();
      if (load === undefined) return;
      if (load.done !== undefined) this.#start(load);
    }
  }

  #start(load: Load): void {
    const blocks = this.#blocks;
    try {
      const sequence = blocks === undefined ? undefined : this.#index!.getShared(load.blockKey);
      if (sequence === undefined) {
        this.stats.misses++;
        this.#finish(load, undefined);
        return;
      }
      const key = ringKey(sequence, load.blockKey);
      this.#running++;
      blocks!.prefetch([key], () => {
        this.#running--;
        if (load.done === undefined) this.#stuck--;
        else if (blocks === this.#blocks) this.#read(load, key);
        else this.#finish(load, undefined);
        this.#startLoads();
      });
    } catch (error) {
      this.#failedRead(error);
      this.#finish(load, undefined);
    }
  }

  #read(load: Load, key: Uint8Array): void {
    let bytes: Uint8Array | undefined;
    try {
      const value = this.#blocks!.getShared(key);
      this.#fault.clear();
      if (value === undefined) this.stats.misses++;
      else {
        bytes = readValue(value, load.blockKey, load.length, this.#options.checksum);
        if (bytes === undefined) this.#foundDamage(load);
      }
    } catch (error) {
      this.#failedRead(error);
    }
    if (bytes !== undefined) {
      this.stats.loads++;
      this.stats.loadedBytes += bytes.length;
      this.#options.observe?.((performance.now() - load.started) / 1000);
    }
    this.#finish(load, bytes);
  }

  #finish(load: Load, bytes: Uint8Array | undefined): void {
    const { done } = load;
    load.done = undefined;
    clearTimeout(load.timer);
    done?.(bytes);
  }

  /** The disk has not answered in time; the thread may still be waiting for it. */
  #giveUp(load: Load): void {
    this.stats.refused++;
    const waiting = this.#queue.indexOf(load);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    else this.#stuck++;
    this.#finish(load, undefined);
  }

  #foundDamage(load: Load): void {
    this.stats.checksumFailures++;
    if (this.#damaged.size >= MAX_DAMAGED) this.#damaged.clear();
    this.#damaged.add(load.blockKey.toString('latin1'));
    this.#options.onDamage?.(load.id, load.block);
  }

  #failedRead(error: unknown): void {
    this.stats.failedReads++;
    this.#fault.raise(error);
  }

  #open(): void {
    const { folder, capacity, log } = this.#options;
    try {
      this.#environment = openForReading(folder, capacity, log);
      this.#index = this.#environment.table('index');
      this.#blocks = this.#environment.table('blocks');
      this.#fault.clear();
    } catch (error) {
      this.#fault.raise(error);
    }
  }

  /** Opens the environment when there was none, and anew when the writer has begun another. */
  #lookAgain(): void {
    this.#damaged.clear();
    if (this.#environment !== undefined && !this.#environment.replaced) return;
    void this.#closeEnvironment().then(() => {
      if (!this.#closed && this.#environment === undefined) this.#open();
    });
  }

  async #closeEnvironment(): Promise<void> {
    const environment = this.#environment;
    this.#environment = undefined;
    this.#index = undefined;
    this.#blocks = undefined;
    await environment?.close();
  }
}
