import type { Config } from './schema.js';

/** The memory tier's file, which `auto` names after the port. */
export function memoryFile({ cache, listen }: Config): string {
  return cache.memory.file === 'auto' ? `/dev/shm/moovedge-${listen.port}.cache` : cache.memory.file;
}

/**
 * The catalog's folder: its own, else the disk tier's, else one beside the memory tier's file, so that what is known of files lives as long
 * as their blocks.
 */
export function catalogFolder(config: Config): string {
  return config.catalog.path ?? config.cache.disk.path ?? `${memoryFile(config)}.catalog`;
}
