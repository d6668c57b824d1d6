import { readFileSync } from 'node:fs';
import { processTree } from '../../test/support/processes.js';

/** Ticks of the kernel's accounting per second (USER_HZ, which Linux has fixed for programs). */
const TICKS = 100;

/**
 * Ticks of a process and of its children that it has waited for, from proc(5) `/proc/PID/stat`; 0 when it is gone.
 */
function ticksOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
  } catch {
    return 0;
  }
}

/** CPU seconds, user and system, that `root` and everything below it have used. */
export function cpuSeconds(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS;
}

/**
 * Milliseconds that the main threads of `root` and everything below it have run, whoever else wanted their core
 * meanwhile; the kernel counts them a few at a time.
 */
export function loopClock(root: number): () => number {
  const files = processTree(root).map(pid => `/proc/${pid}/task/${pid}/schedstat`);
  return () => files.reduce((sum, file) => sum + Number(readFileSync(file, 'latin1').split(' ')[0]), 0) / 1e6;
}

/** Memory of a process and everything below it, in bytes. */
export interface Memory {
  /** Resident, pages that several processes share counted once. */
  resident: number;
  /** Of that, what belongs to no file: heaps and stacks, but not a cache in shared memory. */
  anonymous: number;
}

export function memory(root: number): Memory {
  const sum: Memory = { resident: 0, anonymous: 0 };
  for (const pid of processTree(root)) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      sum.resident += kilobytes(text, 'Pss') * 1024;
      sum.anonymous += kilobytes(text, 'Pss_Anon') * 1024;
    } catch {
      // It has ended in the meantime.
    }
  }
  return sum;
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}: *(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
}
