import { type Dirent, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EdgeError } from '../base/errors.js';
import { isCatalogOf, memoryFileIn, memoryFolder } from '../config/places.js';
import { formatSize } from '../config/units.js';
import type { EdgeStats } from '../supervisor/supervisor.js';
import type { AdminClient } from './admin-client.js';

/** What is to be done with what was left. */
export interface CleanupFlags {
  /** Folder that is looked at; when left out that of `used`, or of files in memory. */
  readonly dir?: string;
  /** Memory tier of an edge whose processes can't be seen from here, as in another container. */
  readonly used?: string;
  /** Removes it; else it is told only. */
  readonly yes?: boolean;
}

/**
 * Finds memory tiers, and catalogs beside them, that belong to this user and that no process has open, and removes them
 * where that is wanted. An edge that is started again on the same port would use them; one that is not leaves memory
 * taken for good.
 * @returns how many were found
 */
export function cleanup(flags: CleanupFlags, write: (text: string) => void): number {
  const { used, dir = used === undefined ? memoryFolder() : dirname(used), yes = false } = flags;
  const entries = readdirSync(dir, { withFileTypes: true });
  const files = entries.filter(each => each.isFile() && memoryFileIn(each.name) === each.name).map(({ name }) => name);
  const open = openFiles();
  const inUse = files.filter(name => open.has(join(dir, name)) || join(dir, name) === used);
  const left = entries
    .filter(entry => (files.includes(entry.name) && !inUse.includes(entry.name)) || isLeftCatalog(entry, inUse))
    .map(({ name }) => join(dir, name))
    .filter(isOwn);
  for (const path of left) {
    const size = formatSize(bytesOf(path));
    if (yes) rmSync(path, { recursive: true });
    write(`${yes ? 'removed' : 'left over'}: ${path} (${size})\n`);
  }
  for (const name of inUse) write(`in use: ${join(dir, name)}\n`);
  if (left.length > 0 && !yes)
    write('remove them with --yes; an edge that is started on one of these ports begins cold then\n');
  return left.length;
}

/** Name of the memory tier's file of a running edge. @throws EdgeError (rejects with) when it does not say */
export async function memoryFileOf(client: AdminClient): Promise<string> {
  const { services } = (await client.json('GET', '/stats')) as EdgeStats;
  const { file } = (services as { memory?: { file?: string } }).memory ?? {};
  if (file === undefined) throw new EdgeError('origin_protocol', 'the edge does not say where its memory tier is');
  return file;
}

/** A catalog whose memory file is not in use; its name begins with that of the file. */
function isLeftCatalog(entry: Dirent, inUse: readonly string[]): boolean {
  const file = memoryFileIn(entry.name);
  return entry.isDirectory() && file !== undefined && isCatalogOf(entry.name, file) && !inUse.includes(file);
}

/** Files that processes have mapped, as far as this user may see. */
function openFiles(): Set<string> {
  const open = new Set<string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const [, path] of readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/ (\/\S*)(?: \(deleted\))?$/gm))
        open.add(path!);
    } catch {
      // It has ended, or is another user's, whose files are not removed.
    }
  }
  return open;
}

/** Others' files are theirs to remove; root's are those of nobody else either. */
function isOwn(path: string): boolean {
  return lstatSync(path).uid === process.geteuid?.();
}

function bytesOf(path: string): number {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + lstatSync(join(path, name)).blocks * 512, 0);
}
