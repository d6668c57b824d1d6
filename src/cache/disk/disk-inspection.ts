import { statSync } from 'node:fs';
import { silentLog } from '../../base/log.js';
import { DiskRing } from './disk-ring.js';
import { diskFile, openForReading } from './disk-store.js';

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
    for (const key of store.table('index').keys()) {
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
