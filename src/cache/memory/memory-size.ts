import { statfsSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { EdgeError } from '../../base/errors.js';

/** Smallest and largest size of the memory tier, in bytes. */
export const MIN_MEMORY_SIZE = 64 * 1024 * 1024;
const MAX_MEMORY_SIZE = 512 * 1024 ** 3;

/**
 * Bytes of memory that this process and its children may use: the machine's, or the limit of their cgroup when that is
 * less.
 */
export function allowedMemory(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

/**
 * Size of the memory tier when none is configured: a quarter of the allowed memory, and at most half of what is free on
 * the filesystem of `file`, or taken by that file. In bytes.
 * @throws EdgeError `cache_file` when that is less than `MIN_MEMORY_SIZE`, or the file's directory can't be looked at
 */
export function defaultMemorySize(file: string, allowed = allowedMemory()): number {
  const free = freeBytes(file) + takenBytes(file);
  const size = Math.min(MAX_MEMORY_SIZE, Math.max(MIN_MEMORY_SIZE, allowed / 4), free / 2);
  if (size >= MIN_MEMORY_SIZE) return Math.floor(size);
  throw new EdgeError(
    'cache_file',
    `the filesystem of the cache file ${file} has ${mebibytes(free)} MiB free; the smallest memory tier takes ` +
      `${mebibytes(MIN_MEMORY_SIZE)} MiB and by default half is left free: enlarge the filesystem (docker run --shm-size=1g), ` +
      'set cache.memory.size, or choose another cache.memory.file',
  );
}

function freeBytes(file: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize;
  } catch (cause) {
    throw new EdgeError(
      'cache_file',
      `the directory of the cache file ${file} can not be used (${(cause as NodeJS.ErrnoException).code}): ` +
        'create it or choose another cache.memory.file',
      { cause },
    );
  }
}

/** What a file that is there takes of its filesystem. */
function takenBytes(file: string): number {
  // Linux counts in units of 512 bytes, whatever the filesystem's are.
  return (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2);
}
