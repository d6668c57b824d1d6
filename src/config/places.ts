import type { Config } from './schema.js';

/** The memory tier's file, which `auto` names after the port. */
export function memoryFile({ cache, listen }: Config): string {
  return cache.memory.file === 'auto' ? `/dev/shm/moovedge-${listen.port}.cache` : cache.memory.file;
}

/**
 * The catalog's folder: its own, else the disk tier's, else one beside the memory tier's file, so that what is known of
 * files lives as long as their blocks.
 */
export function catalogFolder(config: Config): string {
  return config.catalog.path ?? config.cache.disk.path ?? `${memoryFile(config)}.catalog`;
}

/** Names of the files that the players' port needs to speak TLS; undefined when it does not. */
export function tlsFiles({ listen }: Config): { cert: string; key: string } | undefined {
  const { certificate, key } = listen.tls;
  return certificate === undefined || key === undefined ? undefined : { cert: certificate, key };
}

/** Scheme of the URLs that players ask for. */
export function playerScheme(config: Config): 'http' | 'https' {
  return tlsFiles(config) === undefined ? 'http' : 'https';
}
