import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '../base/log.js';
import type { EnvironmentOptions } from './environment.js';
import { moveAside } from './move-aside.js';

/** What the examining process is told. */
export interface Examination {
  environment: Omit<EnvironmentOptions, 'log' | 'owner' | 'readOnly'>;
  /** Whether values are read, too, and not only the trees. */
  values: boolean;
  /** Milliseconds after which what has not been read is taken to be sound. */
  timeLimit: number;
}

/** Exit status of the examining process when the environment is damaged. Any other end but 0 and this is a crash. */
export const DAMAGED = 3;

/** Milliseconds; the examination of trees alone takes less. */
const TIME_LIMIT = 10_000;
/**
 * Milliseconds that the process may take beyond its limit before it is ended: damaged pages can send LMDB into an
 * endless loop.
 */
const GRACE = 10_000;

/**
 * Walks through an environment in a process of its own, because LMDB trusts what it maps and damaged pages may end the
 * process that touches them. One that is damaged is moved aside and logged, so that whoever opens it next begins
 * afresh. To be called by the owner before others open the environment, and when a process that had it open was ended
 * by a signal.
 * @param options `values`: read the values, too; slow, finds unreadable sectors. `timeLimit` in milliseconds, default
 *   `TIME_LIMIT`
 * @returns false when the environment was damaged
 */
export async function examine(
  environment: Omit<EnvironmentOptions, 'owner' | 'readOnly'>,
  options: { values?: boolean; timeLimit?: number } = {},
): Promise<boolean> {
  const { log, ...rest } = environment;
  const { values = false, timeLimit = TIME_LIMIT } = options;
  const task: Examination = { environment: rest, values, timeLimit };
  const end = await run(task);
  if (end === 0) return true;
  setAside(environment.path, end, log);
  return false;
}

function setAside(path: string, end: number | string, log: Log): void {
  try {
    const aside = moveAside(path, 'damaged');
    log.warn({ path, aside, end }, 'a store is damaged and was moved aside; it begins afresh');
  } catch (error) {
    log.error({ path, end, error }, 'a store is damaged and can not be moved aside');
  }
}

/** Exit status, or the signal that ended the process. */
function run(task: Examination): Promise<number | string> {
  const examiner = fileURLToPath(new URL(`./examiner${extname(import.meta.url)}`, import.meta.url));
  const child = fork(examiner, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  return new Promise(resolve => {
    const timer = setTimeout(() => child.kill('SIGKILL'), task.timeLimit + GRACE);
    child.once('error', () => resolve(0));
    child.once('exit', (status, signal) => {
      clearTimeout(timer);
      resolve(status ?? signal ?? 0);
    });
  });
}
