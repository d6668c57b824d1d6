import type { Log } from '../../base/log.js';
import { DiskIndex } from '../../cache/disk/disk-index.js';
import type { Config } from '../../config/schema.js';

/** What the disk tier holds, for a look at it, to be closed by the caller; undefined where there is none. */
export function openDisk({ cache }: Config, log: Log): DiskIndex | undefined {
  const { path, size } = cache.disk;
  return path === undefined ? undefined : DiskIndex.open(path, size, log);
}
