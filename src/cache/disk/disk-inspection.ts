import { statSync } from 'node:fs';
import type { ObjectId } from '../../base/block.js';
import { silentLog } from '../../base/log.js';
import { BLOCK_KEY_BYTES, readBlockKey, writeBlockKey } from './disk-record.js';
import { DiskRing } from './disk-ring.js';
import { diskFile, INDEX_TABLE, openForReading } from './disk-store.js';

/** What a disk tier holds. */
export interface DiskInspection {
  /** Blocks, and the versions of files that they are of. */
  blocks: number;
  objects: number;
  /** Bytes of the data file, and of its pages that hold something. */
  fileBytes: number;
  usedBytes: number;
  /** Blocks that were ever written, as far as the ring knows. */
  written: number;
}

/**
 * Looks at the disk tier in `folder`, while an edge uses it or none does. Reads the index, not the blocks.
 * @returns undefined when there is none
 * @throws EdgeError `store` (by rejection) when it can't be read
 */
export async function inspectDisk(folder: string): Promise<DiskInspection | undefined> {
  const size = statSync(diskFile(folder), { throwIfNoEntry: false })?.size;
  if (size === undefined) return undefined;
  const store = openForReading(folder, size, silentLog);
  try {
    let objects = 0;
    let last: Buffer = Buffer.alloc(0);
    for (const key of store.table(INDEX_TABLE).keys()) {
      const id = Buffer.from(key.subarray(0, 16));
      if (!id.equals(last)) objects++;
      last = id;
    }
    const ring = new DiskRing(store);
    const { fileBytes, usedBytes } = store.usage();
    return { blocks: ring.count, objects, fileBytes, usedBytes, written: Number(ring.nextSequence) };
  } finally {
    await store.close();
  }
}

/**
 * Blocks of an object version that the disk tier in `folder` holds.
 * @throws EdgeError `store` (by rejection) when it can't be read
 */
export async function inspectDiskObject(folder: string, id: ObjectId): Promise<Set<number>> {
  const blocks = new Set<number>();
  const size = statSync(diskFile(folder), { throwIfNoEntry: false })?.size;
  if (size === undefined) return blocks;
  const store = openForReading(folder, size, silentLog);
  try {
    const start = writeBlockKey(Buffer.alloc(BLOCK_KEY_BYTES), id, 0);
    const end = writeBlockKey(Buffer.alloc(BLOCK_KEY_BYTES), id, 0xffffffff);
    for (const key of store.table(INDEX_TABLE).keys({ start, end })) blocks.add(readBlockKey(key).block);
    return blocks;
  } finally {
    await store.close();
  }
}
