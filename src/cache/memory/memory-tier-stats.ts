import { BLOCK_SIZE } from '../../base/block.js';
import type { NativeTierStats } from '../../base/native.js';

/**
 * Figures of a cache file: of all processes together, counted since the file was made. Sizes in bytes; a block counts
 * as a whole one.
 */
export interface MemoryTierStats {
  readonly capacityBytes: number;
  /** Blocks with bytes in them, those being filled included. */
  readonly usedBytes: number;
  readonly fillingBytes: number;
  readonly blocks: number;
  readonly filling: number;
  /** Blocks pinned at this moment. */
  readonly pinned: number;
  /** Processes attached and alive. */
  readonly processes: number;
  /** Counted lookups that found bytes, and those that did not. */
  readonly hits: number;
  readonly misses: number;
  /** Evicted blocks that the disk tier holds, and those that are gone. */
  readonly evictedToDisk: number;
  readonly dropped: number;
  readonly checksumFailures: number;
  /** Times that a part of the index was derived again, because a process died while changing it or it was damaged. */
  readonly repairs: number;
  /** Seconds since the last use of the block that has been unused for longest; 0 when there is none. */
  readonly oldestAge: number;
  /** Seconds for which a block stays at the pace of the last minutes at which blocks are evicted; at most a day. */
  readonly residency: number;
  /** Seconds until the next use that is expected of blocks that are chosen to go by demand; 0 while none was. */
  readonly partedWait: number;
  /** Objects of which something is known of who watches them. */
  readonly knownObjects: number;
}

/** The addon's figures in bytes and seconds. */
export function tierStats(stats: NativeTierStats, now = Date.now()): MemoryTierStats {
  return {
    capacityBytes: stats.capacity * BLOCK_SIZE,
    usedBytes: stats.used * BLOCK_SIZE,
    fillingBytes: stats.filling * BLOCK_SIZE,
    blocks: stats.used,
    filling: stats.filling,
    pinned: stats.pinned,
    processes: stats.processes,
    hits: stats.hits,
    misses: stats.misses,
    evictedToDisk: stats.evictedToDisk,
    dropped: stats.dropped,
    checksumFailures: stats.checksumFailures,
    repairs: stats.repairs,
    oldestAge: stats.oldestUse === 0 ? 0 : Math.max(0, now - stats.oldestUse) / 1000,
    residency: Math.round(stats.residency),
    partedWait: stats.partedWait,
    knownObjects: stats.knownObjects,
  };
}
