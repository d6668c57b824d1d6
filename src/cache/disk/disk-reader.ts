import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import { expectConstants, type NativeDiskBlocks, native } from '../../base/native.js';
import type { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import type { StoreTable } from '../../store/table.js';
import { BLOCK_KEY_BYTES, SEQUENCE_BYTES, writeBlockKey } from './disk-record.js';
import { BLOCKS_TABLE, diskFile, INDEX_TABLE, openForReading } from './disk-store.js';
import type { DiskTier } from './disk-tier.js';
import { HeldBlocks } from './held-blocks.js';

/** What a disk reader is made with. */
export interface DiskReaderOptions {
  /** Folder of the tier. */
  folder: string;
  /** Most bytes of the tier on disk, as its writer was told. */
  capacity: number;
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
  /** Told how long each load that waited for the disk took, in seconds. */
  observe?: (seconds: number) => void;
}

/** Counters of a disk reader. */
export interface DiskReaderStats {
  /** Blocks read, and their bytes. */
  loads: number;
  loadedBytes: number;
  /** Loads of blocks that were not there any more. */
  misses: number;
  /** Values that were not what was written. */
  checksumFailures: number;
  /** Reads that the system or LMDB refused. */
  failedReads: number;
  /** Loads that took too long or found the queue full. */
  refused: number;
}

interface Load {
  readonly id: ObjectId;
  readonly block: number;
  readonly length: number;
  readonly started: number;
  done: ((found: boolean) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Of the four threads of libuv's pool, so that name resolution and files of origins have some. */
const CONCURRENCY = 2;
const MAX_QUEUE = 1024;
/** Blocks that are read ahead of need at once, of which each takes a thread as a load does. */
const MAX_AHEAD = 1;
/** Milliseconds. */
const TIMEOUT = 2000;
const CHECK_INTERVAL = 1000;
/** Damaged blocks that are remembered, so that each is read and reported once. */
const MAX_DAMAGED = 1024;
/** Buffers of a block each: as many readers go on in their blocks without another read. */
const BUFFERS = 16;

// What became of a read.
const [FOUND, ABSENT, WAITS, DAMAGED, FAILED] = [1, 0, -1, -2, -3];
expectConstants({
  diskFound: FOUND,
  diskAbsent: ABSENT,
  diskWaits: WAITS,
  diskDamaged: DAMAGED,
  diskFailed: FAILED,
});

/**
 * The reading end of the disk tier, one in each worker. LMDB says which blocks there are; they are read by the addon,
 * into a few buffers: at once where the kernel has their pages in memory, else by another thread, so that neither a
 * slow disk nor a sector that can't be read holds up or ends the worker. Wrong bytes never leave it: the ring may
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
  #blocks: NativeDiskBlocks | undefined;
  #buffers = new HeldBlocks(BUFFERS);
  /** The key that the addon looks for: the sequence number, then the block key. */
  #key: Uint8Array = new Uint8Array(0);
  /** Loads that hold a thread, and how many of those were given up because the disk does not answer. */
  #running = 0;
  #stuck = 0;
  #bringing = 0;
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
    return this.#sequenceOf(id, block) !== undefined && !this.#isDamaged();
  }

  held(id: ObjectId, block: number, length: number): Uint8Array | undefined {
    const buffer = this.#buffers.find(id, block, length);
    return buffer < 0 ? undefined : this.#view(buffer, length);
  }

  read(id: ObjectId, block: number, length: number): Uint8Array | undefined {
    if (!this.#name(id, block) || this.#isDamaged()) return undefined;
    const buffer = this.#buffers.take();
    if (buffer < 0) return undefined;
    const result = this.#blocks!.read(buffer, length);
    if (result === FOUND) return this.#put(buffer, id, block, length);
    if (result === DAMAGED) this.#foundDamage(id, block);
    return undefined;
  }

  done(id: ObjectId, block: number): void {
    this.#buffers.done(id, block);
  }

  load(id: ObjectId, block: number, length: number, done: (found: boolean) => void): void {
    if (this.#blocks === undefined || this.#stuck >= this.#concurrency || this.#queue.length >= this.#maxQueue) {
      this.stats.refused++;
      setImmediate(done, false);
      return;
    }
    const load: Load = { id, block, length, started: performance.now(), done, timer: undefined };
    load.timer = setTimeout(() => this.#giveUp(load), this.#timeout);
    this.#queue.push(load);
    // Deferred, so that `done` is never called from within this call.
    if (this.#queue.length === 1) setImmediate(() => this.#startLoads());
  }

  ahead(id: ObjectId, block: number, length: number): boolean {
    if (!this.#name(id, block) || this.#isDamaged()) return true;
    const blocks = this.#blocks!;
    if (blocks.isNear(length) !== WAITS) return true;
    if (this.#bringing >= MAX_AHEAD) return false;
    this.#bringing++;
    blocks.bring(length, () => this.#bringing--);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#check);
    void this.#closeEnvironment();
    for (const load of this.#queue.splice(0)) this.#finish(load, false);
  }

  #startLoads(): void {
    while (this.#running < this.#concurrency) {
      const load = this.#queue.shift();
      if (load === undefined) return;
      if (load.done !== undefined) this.#start(load);
    }
  }

  #start(load: Load): void {
    const { id, block, length } = load;
    const buffer = this.#name(id, block) ? this.#buffers.take() : -1;
    if (buffer < 0) {
      this.stats.misses++;
      this.#finish(load, false);
      return;
    }
    const blocks = this.#blocks!;
    const buffers = this.#buffers;
    this.#running++;
    buffers.reserve(buffer, true);
    blocks.load(buffer, length, result => {
      this.#running--;
      buffers.reserve(buffer, false);
      if (load.done === undefined) this.#stuck--;
      else this.#loaded(load, blocks === this.#blocks ? result : ABSENT, buffer);
      this.#startLoads();
    });
  }

  #loaded(load: Load, result: number, buffer: number): void {
    const { id, block, length } = load;
    if (result === FOUND) {
      this.#put(buffer, id, block, length);
      this.#options.observe?.((performance.now() - load.started) / 1000);
    } else if (result === ABSENT) this.stats.misses++;
    else if (result === DAMAGED) this.#foundDamage(id, block);
    else this.#failedRead(new Error('a block can not be read'));
    this.#finish(load, result === FOUND);
  }

  #finish(load: Load, found: boolean): void {
    const { done } = load;
    load.done = undefined;
    clearTimeout(load.timer);
    done?.(found);
  }

  /** The disk has not answered in time; the thread may still be waiting for it. */
  #giveUp(load: Load): void {
    this.stats.refused++;
    const waiting = this.#queue.indexOf(load);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    else this.#stuck++;
    this.#finish(load, false);
  }

  /** Names a block to the addon; false when there is none. */
  #name(id: ObjectId, block: number): boolean {
    const sequence = this.#sequenceOf(id, block);
    if (sequence === undefined) return false;
    this.#key.set(sequence);
    this.#key.set(this.#lookupKey, SEQUENCE_BYTES);
    return true;
  }

  /** The sequence number of a block that is there, as a view for at once. */
  #sequenceOf(id: ObjectId, block: number): Uint8Array | undefined {
    // While every thread waits for a disk that does not answer, there is no use in asking for more.
    if (this.#index === undefined || this.#stuck >= this.#concurrency) return undefined;
    const key = writeBlockKey(this.#lookupKey, id, block);
    try {
      const sequence = this.#index.getShared(key);
      return sequence?.length === SEQUENCE_BYTES ? sequence : undefined;
    } catch (error) {
      this.#failedRead(error);
      return undefined;
    }
  }

  /** Whether the block that was looked up last was found damaged. */
  #isDamaged(): boolean {
    return this.#damaged.size > 0 && this.#damaged.has(this.#lookupKey.toString('latin1'));
  }

  #put(buffer: number, id: ObjectId, block: number, length: number): Uint8Array {
    this.#fault.clear();
    this.stats.loads++;
    this.stats.loadedBytes += length;
    this.#buffers.put(buffer, id, block, length);
    return this.#view(buffer, length);
  }

  #view(buffer: number, length: number): Uint8Array {
    const { memory, start, stride } = this.#blocks!;
    return new Uint8Array(memory, start + buffer * stride, length);
  }

  #foundDamage(id: ObjectId, block: number): void {
    this.stats.checksumFailures++;
    if (this.#damaged.size >= MAX_DAMAGED) this.#damaged.clear();
    this.#damaged.add(writeBlockKey(this.#lookupKey, id, block).toString('latin1'));
    this.#options.onDamage?.(id, block);
  }

  #failedRead(error: unknown): void {
    this.stats.failedReads++;
    this.#fault.raise(error);
  }

  #open(): void {
    const { folder, capacity, log } = this.#options;
    try {
      this.#environment = openForReading(folder, capacity, log);
      this.#index = this.#environment.table(INDEX_TABLE);
      this.#blocks = new native.DiskBlocks(diskFile(folder), BLOCKS_TABLE, BUFFERS);
      this.#buffers = new HeldBlocks(BUFFERS);
      this.#key = new Uint8Array(this.#blocks.key);
      this.#fault.clear();
    } catch (error) {
      this.#fault.raise(error);
      void this.#closeEnvironment();
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
    this.#blocks?.close();
    this.#blocks = undefined;
    this.#buffers = new HeldBlocks(BUFFERS);
    await environment?.close();
  }
}
