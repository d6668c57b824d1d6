import type { Log } from '../../base/log.js';
import { DiskReader } from '../../cache/disk/disk-reader.js';
import type { Config } from '../../config/schema.js';

/** The disk tier for a look at what it holds, to be closed by the caller; undefined where there is none. */
export function openDisk({ cache }: Config, log: Log): DiskReader | undefined {
  const { path, size } = cache.disk;
  if (path === undefined) return undefined;
  return new DiskReader({
    folder: path,
    capacity: size,
    log,
    onDamage: () => {},
    observe: () => {},
  });
}
