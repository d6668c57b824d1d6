import { type Dirent, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isCatalogOf, memoryFileIn, memoryFolder } from '../config/places.js';
import { formatSize } from '../config/units.js';

/** What is to be done with what was left. */
export interface CleanupFlags {
  /** Folder that is looked at; that of files in memory when left out. */
  readonly dir?: string;
  /** Removes it; else it is told only. */
  readonly yes?: boolean;
}

/**
 * Finds memory tiers, and catalogs beside them, that belong to this user and that no process has open, and removes them
 * where that is wanted. An edge that is started again on the same port would use them; one that is not leaves memory
 * taken for good.
 * @returns how many were found
 */
export function cleanup({ dir = memoryFolder(), yes = false }: CleanupFlags, write: (text: string) => void): number {
  const entries = readdirSync(dir, { withFileTypes: true });
  const files = entries.filter(each => each.isFile() && memoryFileIn(each.name) === each.name).map(({ name }) => name);
  const open = openFiles();
  const inUse = files.filter(name => open.has(join(dir, name)));
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
