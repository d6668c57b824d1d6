import { EdgeError } from '../../base/errors.js';
import { native } from '../../base/native.js';
import { type MemoryTierStats, tierStats } from './memory-tier-stats.js';

/** A process that has the cache file open. */
export interface AttachedProcess {
  readonly pid: number;
  readonly role: 'supervisor' | 'worker';
  readonly since: Date;
}

/** What a cache file holds, read from outside. */
export interface MemoryTierInspection extends MemoryTierStats {
  readonly createdAt: Date;
  /** When the file was opened first since it was last left. */
  readonly openedAt: Date;
  /** True when nobody has it open and the last stop was a clean one. */
  readonly clean: boolean;
  readonly wholeBlocks: number;
  readonly partialBlocks: number;
  /** Blocks whose header is damaged; they are dropped when they are met. */
  readonly damagedBlocks: number;
  readonly blocksOnDisk: number;
  /** Bytes of content, without the unused ends of blocks. */
  readonly contentBytes: number;
  readonly objects: number;
  /**
   * Whole and partial blocks that a viewer is on the way to, others that are likely to be used within `residency`, and
   * the rest, which go first by `demand`.
   */
  readonly awaited: number;
  readonly wanted: number;
  readonly unwanted: number;
  readonly attached: readonly AttachedProcess[];
}

/**
 * Reads a cache file, whether an edge runs on it or not; takes no locks and changes nothing.
 * @throws EdgeError `cache_file` when it can't be read or is none
 */
export function inspectMemoryTier(file: string): MemoryTierInspection {
  try {
    const found = native.inspectMemoryTier(file);
    return {
      ...tierStats(found),
      createdAt: new Date(found.createdAt),
      openedAt: new Date(found.openedAt),
      clean: found.clean,
      wholeBlocks: found.whole,
      partialBlocks: found.partial,
      damagedBlocks: found.damaged,
      blocksOnDisk: found.onDisk,
      contentBytes: found.bytes,
      objects: found.objects,
      awaited: found.awaited,
      wanted: found.wanted,
      unwanted: found.unwanted,
      attached: found.attached.map(({ pid, role, since }) => ({ pid, role, since: new Date(since) })),
    };
  } catch (cause) {
    throw new EdgeError('cache_file', (cause as Error).message, { cause });
  }
}
