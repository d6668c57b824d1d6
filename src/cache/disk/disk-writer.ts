import { rmSync } from 'node:fs';
import { EdgeError } from '../../errors.js';
import type { Log } from '../../observe/log-type.js';
import { removeAsides, replaceData } from '../../store/aside.js';
import { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import { isDamage } from '../../store/store-error.js';
import type { ObjectId } from '../block.js';
import { BLOCK_KEY_BYTES, type Checksum, readBlockKey, VALUE_BYTES, writeBlockKey } from './disk-record.js';
import { DiskRing } from './disk-ring.js';
import { batchBlocks, blocksIn, diskFile, diskStoreOptions } from './disk-store.js';
import { WriteBatch } from './write-batch.js';

/** What a disk writer is made with. */
export interface DiskWriterOptions {
  /** Folder of the tier; made when it is missing. */
  folder: string;
  /** Most bytes on disk, LMDB's own pages included. */
  capacity: number;
  /** Computes the checksum of a block; the readers' must be the same. */
  checksum: Checksum;
  log: Log;
  /** Milliseconds to wait after a failed commit before the next; doubled with each failure up to a minute. The default is 1000. */
  retryDelay?: number;
  /**
   * Milliseconds after a failed commit in which the ring stays smaller than it was then, so that it needs no more space on a full disk. The
   * default is 10 minutes.
   */
  growDelay?: number;
  /** Called for every block that left the ring to make room. */
  expired?: (id: ObjectId, block: number) => void;
}

/** Counters and gauges of a disk writer. */
export interface DiskWriterStats {
  /** Blocks on disk. */
  blocks: number;
  /** Bytes that the tier may take on disk. */
  capacityBytes: number;
  /** Bytes of the data file. */
  fileBytes: number;
  /** Blocks committed. */
  written: number;
  /** Blocks that left the ring for newer ones. */
  expired: number;
  /** Blocks that were offered and are not on disk, because the disk failed or was full. */
  dropped: number;
  /** Commits that failed. */
  failedCommits: number;
}

/** From this share of its capacity on, the file is not made larger only because a reader is slow. */
const FULL = 0.97;
/** Commits that a reader may lie behind; none when the file is larger than it should be. */
const MAX_LAG = 1;
/** Milliseconds to wait for readers before a batch is dropped. */
const READER_WAIT = 200;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Milliseconds after a failed commit before the next, at first and at most. */
const RETRY_DELAY = 1000;
const MAX_RETRY_DELAY = 60_000;
const GROW_DELAY = 600_000;
/** Blocks that are taken out of the ring at once when it has become smaller. */
const TRIM_BLOCKS = 1024;
/** Batches by which the ring becomes smaller with each failed commit. */
const BATCHES_GIVEN_UP = 2;
/** A file larger than its capacity by more than this share is written anew. */
const TOLERANCE = 1.02;

/**
 * The writing end of the disk tier: a ring of blocks in the order in which they were offered, of which the oldest make room for the newest.
 * One per machine. Commits block the process, so it is none with players or an operator's port.
 */
export class DiskWriter {
  readonly #options: DiskWriterOptions;
  readonly #path: string;
  readonly #batch: WriteBatch;
  readonly #maxBlocks: number;
  readonly #fault: FaultLatch;
  #environment!: Environment;
  #ring!: DiskRing;
  /** Blocks that the ring may hold: `#maxBlocks`, or less for a while after a failure. */
  #limit: number;
  #growAt = 0;
  #retryDelay: number;
  #retryAt = 0;
  #closed = false;
  /** True when LMDB found the environment damaged: it must be closed, examined and opened again. */
  damaged = false;
  readonly stats: DiskWriterStats;

  /** @throws EdgeError `store` when the tier can't be opened or made */
  constructor(options: DiskWriterOptions) {
    const { folder, capacity, log, retryDelay = RETRY_DELAY } = options;
    this.#options = options;
    this.#path = diskFile(folder);
    this.#batch = new WriteBatch(batchBlocks(capacity));
    this.#maxBlocks = blocksIn(capacity);
    this.#limit = this.#maxBlocks;
    this.#retryDelay = retryDelay;
    this.#fault = new FaultLatch(
      log,
      { path: this.#path },
      'the disk tier can not be written; blocks that leave memory are dropped until it can',
      'the disk tier can be written again',
    );
    this.stats = {
      blocks: 0,
      capacityBytes: capacity,
      fileBytes: 0,
      written: 0,
      expired: 0,
      dropped: 0,
      failedCommits: 0,
    };
    rmSync(this.#compactFile, { force: true });
    this.#open();
  }

  /** Blocks that can be offered before the next commit. */
  get room(): number {
    return performance.now() < this.#retryAt ? 0 : this.#batch.capacity - this.#batch.count;
  }

  /** True when the block is in the ring or in the batch being collected. */
  has(id: ObjectId, block: number): boolean {
    const key = writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block);
    return this.#batch.has(key) || this.#ring.has(key);
  }

  /**
   * Takes a copy of a block into the batch, and commits the batch when it is full.
   * @param checksum of `bytes`, when it is known
   * @returns false when the block was dropped, because a commit failed and it is too early for another
   */
  offer(id: ObjectId, block: number, bytes: Uint8Array, checksum = this.#options.checksum(bytes)): boolean {
    if (performance.now() < this.#retryAt) {
      this.stats.dropped++;
      return false;
    }
    try {
      if (this.has(id, block)) return true;
    } catch (error) {
      this.stats.dropped++;
      this.#failed(error);
      return false;
    }
    this.#batch.add(id, block, bytes, checksum);
    return this.#batch.count < this.#batch.capacity || this.flush();
  }

  /**
   * Commits what was offered since the last commit, and takes as many of the oldest blocks out of the ring.
   * @returns false when it failed and the batch was dropped
   */
  flush(): boolean {
    const batch = this.#batch;
    if (batch.count === 0) return true;
    try {
      this.#awaitReaders();
      if (this.#environment.replaced) this.#beginAgain();
      if (performance.now() >= this.#growAt) this.#limit = this.#limitByFile();
      this.#trim(batch.capacity);
      const expired = this.#environment.transaction(() => {
        const gone = this.#ring.expire(this.#ring.count + batch.count - this.#limit);
        this.#ring.append(batch);
        return gone;
      });
      this.stats.written += batch.count;
      this.#committed(expired);
      return true;
    } catch (error) {
      this.stats.dropped += batch.count;
      this.#failed(error);
      return false;
    } finally {
      batch.count = 0;
    }
  }

  /** Removes a block, because it was found damaged or is not wanted any more. */
  remove(id: ObjectId, block: number): void {
    const key = writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block);
    try {
      this.#environment.transaction(() => this.#ring.remove(key));
      this.#committed([]);
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * Writes the tier anew when its file is larger than the capacity, as it is after the capacity was reduced; LMDB's files never shrink by
   * themselves. Readers find the new file by its inode. Where there is no space for a second file the tier begins afresh.
   */
  async shrink(): Promise<void> {
    const { capacity, log } = this.#options;
    const path = this.#path;
    const bytes = this.stats.fileBytes;
    if (bytes <= capacity * TOLERANCE) return;
    log.info({ path, bytes, capacity }, 'the disk tier is larger than its size; shrinking it');
    try {
      this.#trim(0);
      await this.#environment.compactTo(this.#compactFile);
      await this.#environment.close();
      replaceData(path, this.#compactFile);
    } catch (error) {
      log.warn({ path, error }, 'the disk tier can not be shrunk; it begins afresh');
      await this.#environment.close();
      rmSync(this.#compactFile, { force: true });
      replaceData(path);
    }
    this.#open();
  }

  /** Frees what readers that died have left behind. */
  checkReaders(): void {
    this.#environment.checkReaders();
  }

  /** Commits what was offered and closes the environment. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.flush();
    await this.#environment.close();
  }

  get #compactFile(): string {
    return `${this.#path}.compact`;
  }

  #open(): void {
    const { folder, capacity, log } = this.#options;
    this.#environment = Environment.open({ ...diskStoreOptions(folder, capacity, log), owner: true });
    this.#ring = new DiskRing(this.#environment);
    this.#measure();
  }

  /** Somebody has taken the file away. */
  #beginAgain(): void {
    this.#options.log.warn({ path: this.#path }, 'the file of the disk tier is gone; the tier begins afresh');
    void this.#environment.close();
    replaceData(this.#path);
    this.#open();
  }

  /**
   * Pages of blocks that left the ring while somebody was reading can't be used again before he is done, so that writing on would make the
   * file larger. Where it has its size already, this waits for him, but not for ever.
   * @throws EdgeError `store` when he has not finished
   */
  #awaitReaders(): void {
    const filled = this.stats.fileBytes / this.#options.capacity;
    if (filled < FULL) return;
    const maxLag = filled > 1 ? 0 : MAX_LAG;
    for (let waited = 0; waited < READER_WAIT; waited++) {
      if (this.#environment.snapshotLag() <= maxLag) return;
      if (waited === 10) this.#environment.checkReaders();
      Atomics.wait(sleeper, 0, 0, 1);
    }
    throw new EdgeError(
      'store',
      `${this.#path}: a process does not finish reading, so that blocks can't make room for others`,
    );
  }

  /** Where readers and fragments made the file larger than it should be, a smaller ring has as much more room to turn in. */
  #limitByFile(): number {
    const excess = Math.max(0, Math.ceil((this.stats.fileBytes - this.#options.capacity) / VALUE_BYTES));
    return Math.max(this.#batch.capacity, this.#maxBlocks - excess);
  }

  /** Takes blocks out of the ring in transactions of their own, until it has at most `over` more than its limit. */
  #trim(over: number): void {
    for (;;) {
      const excess = Math.min(TRIM_BLOCKS, this.#ring.count - this.#limit - over);
      if (excess <= 0) return;
      this.#committed(this.#environment.transaction(() => this.#ring.expire(excess)));
    }
  }

  #committed(expired: readonly Uint8Array[]): void {
    this.stats.expired += expired.length;
    this.#retryDelay = this.#options.retryDelay ?? RETRY_DELAY;
    this.#fault.clear();
    this.#measure();
    if (this.#options.expired === undefined) return;
    for (const key of expired) {
      const { id, block } = readBlockKey(key);
      this.#options.expired(id, block);
    }
  }

  #failed(error: unknown): void {
    this.stats.failedCommits++;
    this.#fault.raise(error);
    this.damaged ||= isDamage(error);
    const now = performance.now();
    this.#retryAt = now + this.#retryDelay;
    this.#retryDelay = Math.min(MAX_RETRY_DELAY, this.#retryDelay * 2);
    // What was moved aside is of no use when it keeps the tier from working.
    if (removeAsides(this.#path) > 0) return;
    // On a full disk the ring goes on within the pages that it has, once it has freed some.
    const given = BATCHES_GIVEN_UP * this.#batch.capacity;
    this.#limit = Math.max(this.#batch.capacity, Math.min(this.#limit, this.stats.blocks) - given);
    this.#growAt = now + (this.#options.growDelay ?? GROW_DELAY);
  }

  #measure(): void {
    this.stats.blocks = this.#ring.count;
    this.stats.fileBytes = this.#environment.usage().fileBytes;
  }
}
