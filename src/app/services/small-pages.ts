import { readFileSync, statSync } from 'node:fs';

/**
 * Mount point of the tmpfs of a file, where that gives small pages only, though asked for huge ones (madvise(2)): what
 * is mapped then takes 512 times as many entries of page tables.
 * @returns undefined where huge pages can be had, on any other filesystem, and where the system does not tell
 */
export function smallPagesOf(file: string): string | undefined {
  try {
    const { dev } = statSync(file);
    // glibc's makedev, for numbers that the kernel gives.
    const device = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      // proc_pid_mountinfo(5): ID, parent, device, root, mount point, options, any number of others, -, type, source,
      // options of the filesystem.
      const [mount = '', filesystem = ''] = line.split(' - ');
      const [, , number, , point] = mount.split(' ');
      const [type, , options = ''] = filesystem.split(' ');
      if (number !== device || point === undefined) continue;
      return type === 'tmpfs' && !/(^|,)huge=(always|within_size|advise)(,|$)/.test(options) ? point : undefined;
    }
  } catch {
    // No procfs.
  }
  return undefined;
}
