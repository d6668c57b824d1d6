import type { Config } from './schema.js';

/** The memory tier's file, which `auto` names after the port. */
export function memoryFile({ cache, listen }: Config): string {
  return cache.memory.file === 'auto' ? `/dev/shm/moovedge-${listen.port}.cache` : cache.memory.file;
}

/**
 * The catalog's folders: its own, else the disk tier's, else one beside the memory tier's file, so that what is known
 * of files lives as long as their blocks; and always the latter for what is recent, which costs no disk anything there.
 */
export function catalogFolders(config: Config): { folder: string; recent: string } {
  const recent = `${memoryFile(config)}.catalog`;
  return { folder: config.catalog.path ?? config.cache.disk.path ?? recent, recent };
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
