import { createHash } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ListenSettings } from './listen-schema.js';
import type { Config } from './schema.js';

/** Whether anything is decided by who watches what, so that workers note it. */
export function notesDemand({ cache }: Config): boolean {
  return cache.memory.policy === 'demand' || (cache.disk.path !== undefined && cache.disk.admit === 'demand');
}

/** Where files in memory are, unless that is smaller than so many bytes: 64 MiB in a container, unless it is told. */
export const SHARED_FOLDER = '/dev/shm';
const SHARED_MIN = 160 * 2 ** 20;

/** The memory tier's file, which `auto` names after the port. */
export function memoryFile(config: Config): string {
  const { file } = config.cache.memory;
  return file === 'auto' ? join(memoryFolder(), `moovedge-${mainListener(config).port}.cache`) : file;
}

/**
 * Folder of a memory tier that has no file of its own: that of files in memory, or that of temporary files where the
 * former is too small. The size of the whole filesystem decides, so that each start comes to the same.
 */
export function memoryFolder(shared = SHARED_FOLDER): string {
  try {
    const { blocks, bsize } = statfsSync(shared);
    return blocks * bsize < SHARED_MIN ? tmpdir() : shared;
  } catch {
    return tmpdir();
  }
}

/**
 * The catalog's folders: its own, else the disk tier's, else one beside the memory tier's file, so that what is known
 * of files lives as long as their blocks; and always the latter for what is recent, which costs no disk anything there.
 * In the place that `auto` stands for every user of the machine may make files, so that folder has a name that nobody
 * can take first.
 * @param secret of the memory tier
 */
export function catalogFolders(config: Config, secret: string): { folder: string; recent: string } {
  const hidden = createHash('sha256').update(secret).digest('hex').slice(0, 32);
  const isCommon = config.cache.memory.file === 'auto';
  const recent = `${memoryFile(config)}${isCommon ? `.${hidden}` : ''}.catalog`;
  return { folder: config.catalog.path ?? config.cache.disk.path ?? recent, recent };
}

/** The name that `auto` gives a memory tier, from that name or one of a folder beside it; undefined of all others. */
export function memoryFileIn(name: string): string | undefined {
  return /^moovedge-\d{1,5}\.cache(?=$|\.)/.exec(name)?.[0];
}

/** True of the name of a folder that `catalogFolders` gives for a memory tier of that file, whatever its secret is. */
export function isCatalogOf(name: string, file: string): boolean {
  const own = `${basename(file)}.`;
  return name.startsWith(own) && /^[0-9a-f]{32}\.catalog$/.test(name.slice(own.length));
}

/** The first listener with a port, by which the edge is known to other programs of this machine. */
export function mainListener({ listen }: Pick<Config, 'listen'>): ListenSettings {
  return listen.find(({ unix }) => unix === undefined) ?? listen[0]!;
}

/** The first listener with a port at which films are served: one that only sends players elsewhere is none. */
export function playerListener({ listen }: Pick<Config, 'listen'>): ListenSettings {
  return listen.find(({ unix, redirect }) => unix === undefined && redirect === undefined) ?? mainListener({ listen });
}

/** Names of the files that a listener needs to speak TLS; undefined when it does not. */
export function tlsFiles({ tls, clientCa }: ListenSettings): ListenerTls | undefined {
  const [first, ...others] = tls.flatMap(({ certificate, key }) =>
    certificate === undefined || key === undefined ? [] : { cert: certificate, key },
  );
  return first && { ...first, ca: clientCa, others };
}

/** Files of a listener that speaks TLS; the certificates of `others` are chosen by the names that they are for. */
export interface ListenerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
  readonly others: readonly { readonly cert: string; readonly key: string }[];
}

/** What is spoken at a listener. */
export function schemeOf(listener: ListenSettings): 'http' | 'https' {
  return tlsFiles(listener) === undefined ? 'http' : 'https';
}
