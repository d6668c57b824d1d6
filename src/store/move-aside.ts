import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Why an environment is moved aside. A foreign file belongs to somebody else and is never removed by us. */
export type AsideReason = 'damaged' | 'other-version' | 'foreign';

/**
 * Renames the data file of an environment to `PATH.REASON-TIME` and removes its lock file, which says nothing about the
 * data. Of our own, only the one moved aside last is kept, so that they don't fill the disk. Processes that have the
 * environment open go on reading the old file.
 * @returns the new name
 * @throws Error of the file system
 */
export function moveAside(path: string, reason: AsideReason): string {
  if (reason !== 'foreign') removeAsides(path);
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+Z$/g, '');
  const aside = `${path}.${reason}-${time}`;
  rmSync(`${path}-lock`, { force: true });
  renameSync(path, aside);
  return aside;
}

/**
 * Puts `replacement` in the place of the data file, or removes it when there is none. The lock file goes first: two
 * data files must never share one, and processes that still have the old one open keep theirs.
 * @throws Error of the file system
 */
export function replaceData(path: string, replacement?: string): void {
  rmSync(`${path}-lock`, { force: true });
  if (replacement === undefined) rmSync(path, { force: true });
  else renameSync(replacement, path);
}

/**
 * Removes the environments of our own that were moved aside from `path`, as far as that is possible.
 * @returns how many files were removed
 */
export function removeAsides(path: string): number {
  const folder = dirname(path);
  const prefixes = [`${basename(path)}.damaged-`, `${basename(path)}.other-version-`];
  let removed = 0;
  try {
    for (const name of readdirSync(folder)) {
      if (!prefixes.some(prefix => name.startsWith(prefix))) continue;
      rmSync(join(folder, name), { force: true });
      removed++;
    }
  } catch {
    // A folder that can't be written is reported by who needs to write there.
  }
  return removed;
}
