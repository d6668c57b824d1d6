import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ObjectId } from '../../base/block.js';
import type { Log } from '../../base/log.js';
import { expectSpace } from '../../store/allocation.js';
import { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import { replaceData } from '../../store/move-aside.js';
import { isDamage, isLmdbFailure } from '../../store/store-error.js';
import { BLOCK_KEY_BYTES, checksumOf, readBlockKey, VALUE_BYTES, writeBlockKey } from './disk-record.js';
import { DiskRing } from './disk-ring.js';
import { batchBlocks, blocksIn, diskFile, diskStoreOptions } from './disk-store.js';
import { RingSpace } from './ring-space.js';
import { WriteBatch } from './write-batch.js';

/** What a disk writer is made with. */
export interface DiskWriterOptions {
  /** Folder of the tier; made when it is missing. */
  folder: string;
  /** Most bytes on disk, LMDB's own pages included. */
  capacity: number;
  log: Log;
  /**
   * Milliseconds to wait after a failed commit before the next, doubled with each failure up to a minute; default
   * `RETRY_DELAY`.
   */
  retryDelay?: number;
  /** Milliseconds after the disk was found full before the file may grow again; default as in `RingSpace`. */
  growDelay?: number;
  /** Called for every block that left the ring to make room. */
  expired?: (id: ObjectId, block: number) => void;
  /** Asked of a block that is the next to leave: whether it is written once more instead. Left out: none is. */
  renews?: (id: ObjectId, block: number) => boolean;
}

/** A block by its name. */
export interface BlockName {
  readonly id: ObjectId;
  readonly block: number;
}

/** Counters and gauges of a disk writer. */
export interface DiskWriterStats {
  /** Blocks on disk. */
  blocks: number;
  /** Bytes that the tier may take on disk. */
  capacityBytes: number;
  /** Bytes of the data file, allocated on the disk. */
  fileBytes: number;
  /** Blocks committed, and those among them that were on disk already and would have left. */
  written: number;
  renewed: number;
  /** Blocks that left the ring for newer ones. */
  expired: number;
  /** Blocks that were offered and are not on disk, because the disk failed or was full. */
  dropped: number;
  /** Commits that failed. */
  failedCommits: number;
}

/** Milliseconds after a failed commit before the next, at first and at most. */
const RETRY_DELAY = 1000;
const MAX_RETRY_DELAY = 60_000;
/** Blocks that are taken out of the ring at once when it has become smaller. */
const TRIM_BLOCKS = 256;
/** A file larger than its capacity by more than this share is written anew. */
const TOLERANCE = 1.02;

/**
 * The writing end of the disk tier: a ring of blocks in the order in which they were offered, of which the oldest make
 * room for the newest. One per machine. Commits block the process, so it is none with players or an operator's port.
 */
export class DiskWriter {
  readonly #options: DiskWriterOptions;
  readonly #path: string;
  readonly #batch: WriteBatch;
  readonly #fault: FaultLatch;
  readonly #space: RingSpace;
  #environment!: Environment;
  #ring!: DiskRing;
  #retryDelay: number;
  #retryAt = 0;
  /** Blocks that fit into the tier at most. */
  readonly #places: number;
  /** Whether blocks left at the last commit: also where the disk has no space for the whole tier. */
  #isTurning = false;
  #closed = false;
  /**
   * True when LMDB itself has failed, which may leave its memory in disorder, or when there is no environment any more:
   * the process must end, and another open the tier.
   */
  broken = false;
  /** True when LMDB found the environment damaged: then it must be examined before. */
  damaged = false;
  readonly stats: DiskWriterStats;

  /** @throws EdgeError `store` when the tier can't be opened or made */
  constructor(options: DiskWriterOptions) {
    const { folder, capacity, log, retryDelay = RETRY_DELAY, growDelay } = options;
    this.#options = options;
    this.#path = diskFile(folder);
    this.#batch = new WriteBatch(batchBlocks(capacity));
    this.#retryDelay = retryDelay;
    this.#places = blocksIn(capacity, this.#batch.capacity);
    this.#fault = new FaultLatch(
      log,
      { path: this.#path },
      'the disk tier can not be written; blocks that leave memory are dropped until it can',
      'the disk tier can be written again',
    );
    this.#space = new RingSpace({ path: this.#path, capacity, batch: this.#batch.capacity, log, growDelay });
    this.stats = {
      blocks: 0,
      capacityBytes: capacity,
      fileBytes: 0,
      written: 0,
      renewed: 0,
      expired: 0,
      dropped: 0,
      failedCommits: 0,
    };
    rmSync(this.#compactFile, { force: true });
    this.#open();
  }

  /** Blocks that can be offered before the next commit. */
  get room(): number {
    const { capacity, count } = this.#batch;
    return performance.now() < this.#retryAt ? 0 : Math.max(0, capacity - this.#renewable - count);
  }

  /** True when blocks leave to make room for others. */
  get isFull(): boolean {
    return this.#isTurning || this.#ring.count + this.#batch.capacity >= this.#places;
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
  offer(id: ObjectId, block: number, bytes: Uint8Array, checksum = checksumOf(bytes)): boolean {
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
      if (this.#environment.replaced) this.#beginAgain();
      this.#space.grow(this.#environment, this.#ring.count + batch.count);
      this.#space.awaitReaders(this.#environment);
      const { limit } = this.#space;
      this.#trim(limit + batch.capacity);
      const offered = batch.count;
      this.#renew(limit);
      const expired = this.#environment.transaction(() => {
        const gone = this.#ring.expire(this.#ring.count + batch.count - limit);
        this.#ring.append(batch);
        return gone;
      });
      this.#isTurning = expired.length > 0;
      this.stats.written += batch.count;
      this.stats.renewed += batch.count - offered;
      this.#committed(expired.filter(key => !batch.has(key)));
      return true;
    } catch (error) {
      this.stats.dropped += batch.count;
      this.#failed(error);
      return false;
    } finally {
      batch.count = 0;
    }
  }

  /** Removes blocks that were found damaged. */
  remove(blocks: readonly BlockName[]): void {
    const keys = blocks.map(({ id, block }) => writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block));
    try {
      this.#environment.transaction(() => {
        for (const key of keys) this.#ring.remove(key);
      });
      this.#committed([]);
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * Writes the tier anew when its file is larger than the capacity, as it is after the capacity was reduced; LMDB's
   * files never shrink by themselves. Readers find the new file by its inode. Where there is no space for a second file
   * the tier begins afresh.
   */
  async shrink(): Promise<void> {
    const { capacity, log } = this.#options;
    const path = this.#path;
    const bytes = this.stats.fileBytes;
    if (bytes <= capacity * TOLERANCE) return;
    log.info({ path, bytes, capacity }, 'the disk tier is larger than its size; shrinking it');
    try {
      this.#trim(blocksIn(capacity));
      expectSpace(dirname(path), this.#environment.usage().usedBytes);
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

  /** Somebody has taken the file away, and may have put another there. */
  #beginAgain(): void {
    void this.#environment.close();
    try {
      if (!existsSync(this.#path)) replaceData(this.#path);
      this.#open();
    } catch (error) {
      this.broken = true;
      throw error;
    }
    this.#options.log.warn({ path: this.#path }, 'the file of the disk tier was gone; the tier has begun afresh');
  }

  /** Places of a batch that are kept for blocks which would leave the ring: half, where there are several. */
  get #renewable(): number {
    return this.#options.renews === undefined ? 0 : this.#batch.capacity >> 1;
  }

  /** Fills up the batch with blocks that would leave the ring for it, and are worth another round. */
  #renew(limit: number): void {
    const { renews } = this.#options;
    const batch = this.#batch;
    if (renews === undefined) return;
    let looked = 0;
    for (const { blockKey, value } of this.#ring.oldest(batch.capacity)) {
      // Each that stays needs a place more, so one more has to go.
      if (batch.count === batch.capacity || looked++ >= this.#ring.count + batch.count - limit) return;
      const { id, block } = readBlockKey(blockKey);
      if (value.length === VALUE_BYTES && !batch.has(blockKey) && renews(id, block)) batch.addStored(blockKey, value);
    }
  }

  /** Takes the oldest blocks out in transactions of their own, until `most` are left. */
  #trim(most: number): void {
    for (;;) {
      const excess = Math.min(TRIM_BLOCKS, this.#ring.count - most);
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
    this.broken ||= isLmdbFailure(error);
    this.damaged ||= isDamage(error);
    this.#retryAt = performance.now() + this.#retryDelay;
    this.#retryDelay = Math.min(MAX_RETRY_DELAY, this.#retryDelay * 2);
  }

  #measure(): void {
    this.stats.blocks = this.#ring.count;
    this.stats.fileBytes = this.#space.measure(this.#environment);
  }
}
