import { BLOCK_SIZE } from '../../base/block.js';
import { EdgeError } from '../../base/errors.js';
import type { DiskTier } from '../disk/disk-tier.js';
import type { MemoryTier } from '../memory/memory-tier.js';
import { RoomQueue } from './waiters.js';

/** Options of `BlockLoader`. Sizes are in bytes and rounded up to blocks. */
export interface BlockLoaderOptions {
  readonly tier: MemoryTier;
  readonly disk?: DiskTier | undefined;
  /**
   * How far to fetch ahead of a reader that reads to the end of the object, which may stop anywhere: `min` at first,
   * doubled while it reads on, up to `max` (0: not at all), and no further than it reads in `time` milliseconds at its
   * pace, which is at least `min`.
   */
  readonly readAhead: { readonly min: number; readonly max: number; readonly time: number };
  /** Most bytes of an object that is fetched in one although nobody may read all of it. */
  readonly wholeMax: number;
  /** Most bytes of one origin request; default `MAX_RUN`. */
  readonly maxRun?: number;
  /** Milliseconds without a read after which a reader counts as paused; default `PAUSE_AFTER`. */
  readonly pauseAfter?: number;
}

/** Bytes. */
const MAX_RUN = 16 * 1024 * 1024;
/** Milliseconds. */
const PAUSE_AFTER = 5000;

/** Counters of `BlockLoader`; plain numbers that only grow. */
export interface BlockLoaderStats {
  /** Blocks that readers came to, by where the block was. */
  memoryLookups: number;
  diskLookups: number;
  originLookups: number;
  /** Origin requests for blocks (a first request for an object included), and those that failed. */
  runs: number;
  failedRuns: number;
  /** Origin requests that were cut short because nobody wanted their rest. */
  stoppedRuns: number;
  /** Bytes that came from origins into blocks. */
  filledBytes: number;
  /** Fills taken over where another filler had stopped. */
  takeovers: number;
  /** Streams past the cache. */
  bypassStreams: number;
  /** Blocks for which readers waited until the disk had read them, and those that it could not bring. */
  diskLoads: number;
  failedDiskLoads: number;
}

/** An origin fetch under way. */
export interface Running {
  /** Ends it because of `error`; what has come stays for whoever wants to go on. */
  stop(error: EdgeError): void;
}

/** The way of blocks into the memory tier, from disk and origins, for the readers of this process. */
export class BlockLoader {
  readonly tier: MemoryTier;
  readonly disk: DiskTier | undefined;
  /** Blocks. */
  readonly firstWindow: number;
  readonly maxWindow: number;
  readonly maxRun: number;
  /** Bytes. */
  readonly wholeMax: number;
  /** Milliseconds. */
  readonly aheadTime: number;
  readonly pauseAfter: number;
  readonly stats: BlockLoaderStats = {
    memoryLookups: 0,
    diskLookups: 0,
    originLookups: 0,
    runs: 0,
    failedRuns: 0,
    stoppedRuns: 0,
    filledBytes: 0,
    takeovers: 0,
    bypassStreams: 0,
    diskLoads: 0,
    failedDiskLoads: 0,
  };
  /** Why nothing is fetched any more, once closed. */
  stopping: EdgeError | undefined;
  /** Readers that wait for room. */
  readonly room = new RoomQueue();
  /** Origin fetches under way. */
  readonly running = new Set<Running>();

  constructor(options: BlockLoaderOptions) {
    this.tier = options.tier;
    this.disk = options.disk;
    this.maxWindow = Math.max(1, blocks(options.readAhead.max));
    this.firstWindow = Math.min(this.maxWindow, Math.max(1, blocks(options.readAhead.min)));
    this.aheadTime = options.readAhead.time;
    this.maxRun = Math.max(1, blocks(options.maxRun ?? MAX_RUN));
    this.wholeMax = options.wholeMax;
    this.pauseAfter = options.pauseAfter ?? PAUSE_AFTER;
  }

  /**
   * Ends the fetches under way and fails who waits for them; what has come of their blocks stays for whoever wants to
   * go on.
   */
  close(): void {
    this.stopping = new EdgeError('overloaded', 'the edge is stopping: ask again', { retryAfter: 1 });
    for (const run of [...this.running]) run.stop(this.stopping);
    this.room.wakeAll();
  }
}

function blocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_SIZE);
}
