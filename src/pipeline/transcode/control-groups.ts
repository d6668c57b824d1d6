import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where the kernel shows control groups (cgroup v2). */
const ROOT = '/sys/fs/cgroup';
/** Most processes and threads of one group. */
const TASKS_MAX = 512;
/** Name of a group, with the process that made it. */
const NAME = /^moovedge-(\d+)-/;
/** Milliseconds between two tries to remove a group whose processes are being killed, and how many there are. */
const REMOVE_INTERVAL = 50;
const REMOVE_TRIES = 40;

/** The processes of one program, bounded together. */
export interface ControlGroup {
  /** Folder that stands for it; who writes to `cgroup.procs` there joins. */
  readonly folder: string;
  /** Kills all that is in it, and removes it. */
  end(): Promise<void>;
}

/**
 * Control groups of the machine, in which programs and all that they start are bounded as one. They need a folder that
 * this user may write to: in a container that has its own, or for a unit of systemd with `Delegate=yes` and
 * `DelegateSubgroup=`.
 */
export class ControlGroups {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Those that this process may make; undefined when it may make none.
   * @param root of the tree, and `own`, what the kernel says of this process (`/proc/self/cgroup`)
   */
  static async find(root = ROOT, own?: string): Promise<ControlGroups | undefined> {
    const text = own ?? (await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
    const path = /^0::(\/.*)$/m.exec(text)?.[1];
    if (path === undefined) return undefined;
    // A group with processes of its own can't bound others within it, so that above is the other place.
    for (const folder of new Set([join(root, path), dirname(join(root, path))])) {
      if (!folder.startsWith(root)) continue;
      const groups = new ControlGroups(folder);
      const isUsable = await groups.#try().catch(() => false);
      if (isUsable) return groups;
    }
    return undefined;
  }

  /** Makes a group. @param memory most bytes that all in it may have together */
  async make(memory: number): Promise<ControlGroup> {
    const folder = join(this.#folder, `moovedge-${process.pid}-${randomUUID()}`);
    await mkdir(folder);
    try {
      await writeFile(join(folder, 'memory.max'), String(memory));
      await writeFile(join(folder, 'pids.max'), String(TASKS_MAX));
      // Without swap to fall back on, which the kernel may not have.
      await writeFile(join(folder, 'memory.swap.max'), '0').catch(() => {});
    } catch (error) {
      await rmdir(folder).catch(() => {});
      throw error;
    }
    return { folder, end: () => end(folder) };
  }

  async #try(): Promise<boolean> {
    await access(join(this.#folder, 'cgroup.procs'), constants.W_OK);
    const control = join(this.#folder, 'cgroup.subtree_control');
    await writeFile(control, '+memory +pids').catch(() => {});
    const controllers = (await readFile(control, 'utf8')).split(/\s+/).map(name => name.replace(/^\+/, ''));
    if (!controllers.includes('memory') || !controllers.includes('pids')) return false;
    await (await this.make(TASKS_MAX * 1024 * 1024)).end();
    await this.#sweep();
    return true;
  }

  /** Removes groups whose makers have died; those that still have processes stay. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const maker = NAME.exec(name)?.[1];
      if (maker === undefined || existsSync(`/proc/${maker}`)) continue;
      await rmdir(join(this.#folder, name)).catch(() => {});
    }
  }
}

async function end(folder: string): Promise<void> {
  await writeFile(join(folder, 'cgroup.kill'), '1').catch(() => {});
  for (let tries = 0; tries < REMOVE_TRIES; tries++) {
    const isBusy = await rmdir(folder).then(
      () => false,
      error => (error as NodeJS.ErrnoException).code === 'EBUSY',
    );
    if (!isBusy) return;
    await sleep(REMOVE_INTERVAL);
  }
}
