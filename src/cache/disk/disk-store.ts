import { join } from 'node:path';
import type { Log } from '../../base/log.js';
import { Environment, type EnvironmentOptions } from '../../store/environment.js';
import { VALUE_BYTES } from './disk-record.js';

/** Names of the tables. */
export const [INDEX_TABLE, BLOCKS_TABLE] = ['index', 'blocks'];
/** Pages that a value takes: LMDB puts 16 bytes before it. */
const VALUE_PAGES = Math.ceil((VALUE_BYTES + 16) / 4096);
/** Bytes of a block on disk: its pages, and its share of the two trees, whose leaves are half empty at worst. */
const BYTES_PER_BLOCK = VALUE_PAGES * 4096 + 256;
/** Pages that LMDB itself and the smallest trees take, and those that are allocated in advance of a commit. */
const FIXED_BYTES = 96 * 4096;
/** Share of the space that blocks can fill; the rest is lost in gaps that are too small for a block. */
const USED_SHARE = 0.99;
/**
 * Batches for which there is space beside the ring: LMDB can use freed pages again only once the next transaction is on
 * disk, and room for what comes next is kept behind the last page.
 */
const BATCHES_BESIDE = 6;
/** The address space of x86-64 and arm64 has room for one map of this size. */
const MAX_MAP = 64 * 2 ** 40;

/** The data file of a disk tier in `folder`. */
export function diskFile(folder: string): string {
  return join(folder, 'blocks.mdb');
}

/** What the environment of a disk tier in `folder` is opened with. */
export function diskStoreOptions(folder: string, capacity: number, log: Log): EnvironmentOptions {
  return {
    path: diskFile(folder),
    format: 'moovedge-blocks 1',
    tables: [INDEX_TABLE, BLOCKS_TABLE],
    mapSize: Math.min(MAX_MAP, Math.max(capacity * 2, 2 ** 30)),
    log,
  };
}

/** Blocks of one batch: 4 MiB, or less in a small tier, where the batches beside the ring would cost too much of it. */
export function batchBlocks(capacity: number): number {
  return Math.max(1, Math.min(16, Math.floor(capacity / 192 / VALUE_BYTES)));
}

/**
 * Blocks that fit into `bytes` on disk with everything that LMDB adds, when they are written in batches of `batch`. At
 * least one batch.
 */
export function blocksIn(bytes: number, batch = batchBlocks(bytes)): number {
  return Math.max(batch, Math.floor((bytes * USED_SHARE - FIXED_BYTES) / BYTES_PER_BLOCK) - BATCHES_BESIDE * batch);
}

/** Opens the environment of a disk tier for reading. @throws EdgeError `store` */
export function openForReading(folder: string, capacity: number, log: Log): Environment {
  return Environment.open({ ...diskStoreOptions(folder, capacity, log), readOnly: true });
}
