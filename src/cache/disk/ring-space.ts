import { EdgeError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { pause } from '../../base/pause.js';
import type { Environment } from '../../store/environment.js';
import { FaultLatch } from '../../store/fault-latch.js';
import { removeAsides } from '../../store/move-aside.js';
import { VALUE_BYTES } from './disk-record.js';
import { blocksIn } from './disk-store.js';

/** What the space of a ring is made with. */
export interface RingSpaceOptions {
  /** The data file. */
  path: string;
  /** Most bytes on disk. */
  capacity: number;
  /** Blocks of a batch. */
  batch: number;
  log: Log;
  /** Milliseconds after the disk was found full before the file may grow again; default `GROW_DELAY`. */
  growDelay?: number | undefined;
}

const GROW_DELAY = 10_000;
/** Bytes by which the file grows at once, as a share of the capacity, and at most. */
const GROW_SHARE = 1 / 64;
const GROW_BYTES = 64 * 2 ** 20;
/**
 * Room that is left behind the last page in use: in batches, since LMDB may use freed pages two commits later, and in
 * blocks, for its trees.
 */
const BATCHES_BEHIND = 4;
const BLOCKS_BEHIND = 2;
/**
 * Commits that a reader may lie behind when the file can't be made larger; none when it is larger already than it
 * should be.
 */
const MAX_LAG = 1;
/** Milliseconds to wait for readers. */
const READER_WAIT = 200;

/**
 * The space on disk that a ring turns in: allocated ahead of it, up to its capacity or to what there is on a disk that
 * is full.
 */
export class RingSpace {
  readonly #options: RingSpaceOptions;
  readonly #full: FaultLatch;
  #growAt = 0;
  #fileBytes = 0;
  /** Bytes of the file up to the last page that was ever used. */
  #endBytes = 0;

  constructor(options: RingSpaceOptions) {
    this.#options = options;
    const { path, capacity, log } = options;
    this.#full = new FaultLatch(
      log,
      { path, capacity },
      'there is no space for the whole disk tier; it stays as large as it is until there is',
      'there is space for the disk tier again',
    );
  }

  /**
   * Blocks that the ring may hold in what is allocated. It holds fewer when readers or fragments have moved the last
   * page in use too near to the end, so that there is room to write.
   */
  get limit(): number {
    const { batch } = this.#options;
    return Math.max(batch, blocksIn(this.#size, batch) - this.#excess);
  }

  /** Looks at the file after a commit. @returns its bytes */
  measure(environment: Environment): number {
    const { fileBytes, endBytes } = environment.usage();
    this.#fileBytes = fileBytes;
    this.#endBytes = endBytes;
    return fileBytes;
  }

  /**
   * Has space allocated before the ring turns into it, so that a full disk makes the ring smaller and no commit fails
   * for it.
   * @param blocks that the ring is to hold, as far as it may
   */
  grow(environment: Environment, blocks: number): void {
    const { path, capacity, growDelay = GROW_DELAY } = this.#options;
    const step = Math.ceil(Math.min(GROW_BYTES, capacity * GROW_SHARE));
    while (blocks > this.limit && this.#fileBytes < capacity && performance.now() >= this.#growAt) {
      try {
        environment.allocate(Math.min(capacity, this.#fileBytes + step));
        this.#full.clear();
        this.measure(environment);
      } catch (error) {
        // What was moved aside is of no use when it keeps the tier from growing.
        if (removeAsides(path) > 0) continue;
        this.#growAt = performance.now() + growDelay;
        this.#full.raise(error);
      }
    }
  }

  /**
   * Pages of blocks that left the ring while a process reads from it can't be used again before its transaction ends,
   * so that writing on would make the file larger. Where the file can't be larger, this blocks the writer's event loop
   * until the reader has finished, for at most `READER_WAIT` milliseconds.
   * @throws EdgeError `store` when it has not finished by then
   */
  awaitReaders(environment: Environment): void {
    if (this.#excess === 0) return;
    const maxLag = this.#endBytes > this.#size ? 0 : MAX_LAG;
    for (let waited = 0; waited < READER_WAIT; waited++) {
      if (environment.snapshotLag() <= maxLag) return;
      if (waited === 10) environment.checkReaders();
      pause(1);
    }
    const { path } = this.#options;
    throw new EdgeError(
      'store',
      `${path}: a process does not finish reading, so that blocks can't make room for others`,
    );
  }

  get #size(): number {
    return Math.min(this.#fileBytes, this.#options.capacity);
  }

  /** Blocks by which readers or fragments have moved the last page in use too near to the end; 0 when they have not. */
  get #excess(): number {
    const behind = BATCHES_BEHIND * this.#options.batch + BLOCKS_BEHIND;
    return Math.max(0, Math.ceil((this.#endBytes - this.#size) / VALUE_BYTES) + behind);
  }
}
