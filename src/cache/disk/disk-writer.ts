import { rmSync } from 'node:fs';
import type { Log } from '../../observe/log-type.js';
import { removeAsides, replaceData } from '../../store/aside.js';
import { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import { isDamage } from '../../store/store-error.js';
import type { Table } from '../../store/table.js';
import type { ObjectId } from '../block.js';
import {
  BLOCK_KEY_BYTES,
  type Checksum,
  ringKey,
  splitRingKey,
  VALUE_BYTES,
  writeBlockKey,
  writeValue,
} from './disk-record.js';
import { batchBlocks, blocksIn, diskFile, diskStoreOptions } from './disk-store.js';

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

const MAX_RETRY_DELAY = 60_000;
const GROW_DELAY = 600_000;
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
  readonly #values: Buffer;
  readonly #keys: Buffer;
  readonly #batchBlocks: number;
  readonly #maxBlocks: number;
  readonly #fault: FaultLatch;
  #environment!: Environment;
  #index!: Table;
  #blocks!: Table;
  #pending = 0;
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
    this.#options = options;
    this.#batchBlocks = batchBlocks(options.capacity);
    this.#maxBlocks = blocksIn(options.capacity);
    this.#limit = this.#maxBlocks;
    this.#values = Buffer.alloc(this.#batchBlocks * VALUE_BYTES);
    this.#keys = Buffer.alloc(this.#batchBlocks * BLOCK_KEY_BYTES);
    this.#retryDelay = options.retryDelay ?? 1000;
    this.#fault = new FaultLatch(
      options.log,
      { path: diskFile(options.folder) },
      'the disk tier can not be written; blocks that leave memory are dropped until it can',
      'the disk tier can be written again',
    );
    this.stats = {
      blocks: 0,
      capacityBytes: options.capacity,
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
    return performance.now() < this.#retryAt ? 0 : this.#batchBlocks - this.#pending;
  }

  /** True when the block is in the ring or in the batch being collected. */
  has(id: ObjectId, block: number): boolean {
    const key = writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block);
    return this.#isPending(key) || this.#index.has(key);
  }

  /**
   * Takes a copy of a block into the batch, and commits the batch when it is full.
   * @param checksum of `bytes`, when it is known
   * @returns false when the block was dropped, because the last commit failed and it is too early for another
   */
  offer(id: ObjectId, block: number, bytes: Uint8Array, checksum = this.#options.checksum(bytes)): boolean {
    if (performance.now() < this.#retryAt) {
      this.stats.dropped++;
      return false;
    }
    const key = this.#keys.subarray(this.#pending * BLOCK_KEY_BYTES, (this.#pending + 1) * BLOCK_KEY_BYTES);
    writeBlockKey(key, id, block);
    if (this.#isPending(key) || this.#index.has(key)) return true;
    const value = this.#values.subarray(this.#pending * VALUE_BYTES, (this.#pending + 1) * VALUE_BYTES);
    writeValue(value, key, bytes, checksum);
    this.#pending++;
    return this.#pending < this.#batchBlocks || this.flush();
  }

  /**
   * Commits what was offered since the last commit, and takes as many of the oldest blocks out of the ring.
   * @returns false when it failed and the batch was dropped
   */
  flush(): boolean {
    const count = this.#pending;
    if (count === 0) return true;
    this.#pending = 0;
    try {
      if (!this.#awaitReaders()) {
        this.stats.dropped += count;
        return false;
      }
      if (this.#environment.replaced) this.#beginAgain();
      if (performance.now() >= this.#growAt) this.#limit = this.#limitByFile();
      this.#trim(this.#batchBlocks);
      const expired = this.#environment.transaction(() => {
        const gone = this.#expire(this.#blocks.count + count - this.#limit);
        const next = this.#nextSequence();
        for (let i = 0; i < count; i++) this.#store(i, next + BigInt(i));
        return gone;
      });
      this.stats.written += count;
      this.#committed(expired);
      return true;
    } catch (error) {
      this.stats.dropped += count;
      this.#failed(error);
      return false;
    }
  }

  /** Removes a block, because it was found damaged or is not wanted any more. */
  remove(id: ObjectId, block: number): void {
    const key = writeBlockKey(Buffer.allocUnsafe(BLOCK_KEY_BYTES), id, block);
    try {
      const sequence = this.#index.get(key);
      if (sequence === undefined) return;
      this.#environment.transaction(() => {
        this.#index.remove(key);
        this.#blocks.remove(ringKey(sequence, key));
      });
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
    const path = diskFile(this.#options.folder);
    if (this.#environment.usage().fileBytes <= capacity * TOLERANCE) return;
    log.info(
      { path, bytes: this.#environment.usage().fileBytes, capacity },
      'the disk tier is larger than its size; shrinking it',
    );
    try {
      for (
        let excess = this.#blocks.count - this.#maxBlocks;
        excess > 0;
        excess = this.#blocks.count - this.#maxBlocks
      ) {
        this.#committed(this.#environment.transaction(() => this.#expire(Math.min(excess, 1024))));
      }
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
    return `${diskFile(this.#options.folder)}.compact`;
  }

  #open(): void {
    const { folder, capacity, log } = this.#options;
    this.#environment = Environment.open({ ...diskStoreOptions(folder, capacity, log), owner: true });
    this.#index = this.#environment.table('index');
    this.#blocks = this.#environment.table('blocks');
    this.#measure();
  }

  /** Somebody has taken the file away. */
  #beginAgain(): void {
    const path = diskFile(this.#options.folder);
    this.#options.log.warn({ path }, 'the file of the disk tier is gone; the tier begins afresh');
    void this.#environment.close();
    replaceData(path);
    this.#open();
  }

  #isPending(key: Buffer): boolean {
    for (let i = 0; i < this.#pending; i++) {
      if (key.compare(this.#keys, i * BLOCK_KEY_BYTES, (i + 1) * BLOCK_KEY_BYTES) === 0) return true;
    }
    return false;
  }

  /**
   * Pages of blocks that left the ring while somebody was reading can't be used again before he is done, so that writing on would make the
   * file larger. Where it has its size already, this waits for him, but not for ever.
   * @returns false when he has not finished
   */
  #awaitReaders(): boolean {
    const filled = this.stats.fileBytes / this.#options.capacity;
    if (filled < FULL) return true;
    const maxLag = filled > 1 ? 0 : MAX_LAG;
    for (let waited = 0; waited < READER_WAIT; waited++) {
      if (this.#environment.snapshotLag() <= maxLag) return true;
      if (waited === 10) this.#environment.checkReaders();
      Atomics.wait(sleeper, 0, 0, 1);
    }
    return false;
  }

  /** Blocks of the ring. Where readers and fragments made the file larger than it should be, a smaller ring has as much more room to turn in. */
  #limitByFile(): number {
    const excess = Math.max(0, Math.ceil((this.stats.fileBytes - this.#options.capacity) / VALUE_BYTES));
    return Math.max(this.#batchBlocks, this.#maxBlocks - excess);
  }

  /** Takes blocks out of the ring in transactions of their own, until it has at most `over` more than its limit. */
  #trim(over: number): void {
    for (;;) {
      const excess = Math.min(1024, this.#blocks.count - this.#limit - over);
      if (excess <= 0) return;
      const expired = this.#environment.transaction(() => this.#expire(excess));
      if (expired.length === 0) return;
      this.#committed(expired);
    }
  }

  /** Read anew in each transaction, since for a moment an edge and its successor may both be writing. */
  #nextSequence(): bigint {
    for (const key of this.#blocks.keys({ reverse: true, limit: 1 })) {
      return Buffer.from(splitRingKey(key).sequence).readBigUInt64BE() + 1n;
    }
    return 0n;
  }

  /** Puts the `i`th block of the batch; within a transaction. */
  #store(i: number, sequence: bigint): void {
    const blockKey = this.#keys.subarray(i * BLOCK_KEY_BYTES, (i + 1) * BLOCK_KEY_BYTES);
    const key = ringKey(sequence, blockKey);
    this.#blocks.put(key, this.#values.subarray(i * VALUE_BYTES, (i + 1) * VALUE_BYTES));
    this.#index.put(blockKey, key.subarray(0, 8));
  }

  /** Takes the `count` oldest blocks out of the ring; within a transaction. Returns their keys. */
  #expire(count: number): Uint8Array[] {
    if (count <= 0) return [];
    const gone = Array.from(this.#blocks.keys({ limit: count }));
    for (const key of gone) {
      this.#index.remove(splitRingKey(key).blockKey);
      this.#blocks.remove(key);
    }
    return gone;
  }

  #committed(expired: readonly Uint8Array[]): void {
    this.stats.expired += expired.length;
    this.#retryDelay = this.#options.retryDelay ?? 1000;
    this.#fault.clear();
    this.#measure();
    if (this.#options.expired === undefined) return;
    for (const key of expired) {
      const blockKey = Buffer.from(splitRingKey(key).blockKey);
      const id = Uint32Array.from([0, 4, 8, 12], at => blockKey.readUInt32LE(at)) as ObjectId;
      this.#options.expired(id, blockKey.readUInt32BE(16));
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
    if (removeAsides(diskFile(this.#options.folder)) > 0) return;
    // On a full disk the ring goes on within the pages that it has, once it has freed some.
    const given = BATCHES_GIVEN_UP * this.#batchBlocks;
    this.#limit = Math.max(this.#batchBlocks, Math.min(this.#limit, this.stats.blocks) - given);
    this.#growAt = now + (this.#options.growDelay ?? GROW_DELAY);
  }

  #measure(): void {
    this.stats.blocks = this.#blocks.count;
    this.stats.fileBytes = this.#environment.usage().fileBytes;
  }
}
