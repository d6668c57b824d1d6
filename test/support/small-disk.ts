import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import type { TestContext } from 'node:test';

/** A file system of its own, in memory. */
export interface SmallDisk {
  readonly path: string;
  /** Mounts it again with other flags, such as `ro`. */
  remount(flags: string): void;
  /** At once, although a process that should be gone may still have a file open. */
  unmount(): void;
}

/**
 * Mounts a file system at `path`, which is made; undefined where that is not permitted.
 * @param options of tmpfs, such as `size=24m`
 */
export function mountSmallDisk(path: string, options: string): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  const mount = (...args: string[]) => execFileSync('mount', [...args, path], { stdio: 'ignore' });
  try {
    mount('-t', 'tmpfs', '-o', options, 'tmpfs');
  } catch {
    return undefined;
  }
  return {
    path,
    remount: flags => void mount('-o', `remount,${flags}`),
    unmount: () => void execFileSync('umount', ['-l', path], { stdio: 'ignore' }),
  };
}

/** Runs the rest of a test on such a file system, or skips it where none can be mounted. */
export async function onSmallDisk(
  context: TestContext,
  path: string,
  options: string,
  work: (disk: SmallDisk) => void | Promise<void>,
): Promise<void> {
  const disk = mountSmallDisk(path, options);
  if (disk === undefined) return context.skip('mounting a tmpfs is not permitted');
  try {
    await work(disk);
  } finally {
    disk.unmount();
    rmSync(path, { recursive: true, force: true });
  }
}
