import type { ObjectId } from '../../base/block.js';
import { EdgeError } from '../../base/errors.js';
import { native } from '../../base/native.js';

/** What a cache file says of a block, whether it holds it or not. */
export interface InspectedBlock {
  /** Bytes that are in memory; 0: it is not there. */
  readonly readable: number;
  readonly views: number;
  /** Whether the disk tier holds it, as far as memory knows. */
  readonly onDisk: boolean;
  /** Whether it has been chosen to go. */
  readonly condemned: boolean;
  /** Milliseconds since 1970; 0 when it is not there. */
  readonly lastUse: number;
  /** Viewers on the way who reach it while a block stays. */
  readonly awaited: number;
  /** Views a second of those who have not begun yet. */
  readonly rate: number;
  /** Uses a second that keeping it brings; infinity while somebody reads it. */
  readonly worth: number;
}

const NUMBERS = 8;

/**
 * Looks for the blocks of an object version in a cache file, whether an edge runs on it or not: the first `count`, and
 * up to the last one that is there.
 * @throws EdgeError `cache_file` when it can't be read or is none
 */
export function inspectObject(file: string, id: ObjectId, count: number): InspectedBlock[] {
  try {
    const found = native.inspectObject(file, new Uint8Array(id.buffer, id.byteOffset, id.byteLength), count);
    return Array.from({ length: found.length / NUMBERS }, (_, block) => {
      const [readable = 0, views = 0, onDisk = 0, condemned = 0, lastUse = 0, awaited = 0, rate = 0, worth = 0] =
        found.subarray(block * NUMBERS, (block + 1) * NUMBERS);
      return { readable, views, onDisk: onDisk !== 0, condemned: condemned !== 0, lastUse, awaited, rate, worth };
    });
  } catch (cause) {
    throw new EdgeError('cache_file', (cause as Error).message, { cause });
  }
}
