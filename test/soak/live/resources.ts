import { readdirSync, readFileSync, statSync } from 'node:fs';
import { commandLine, processTree } from '../../support/processes.js';

/** What a process holds. */
export interface Usage {
  readonly pid: number;
  readonly role: 'supervisor' | 'worker' | 'ingest' | 'other';
  /** Bytes of memory that belong to no file: heaps and stacks, but neither caches nor rings. */
  readonly anonymous: number;
  readonly descriptors: number;
}

/** Each process of an edge. */
export function usageOf(supervisor: number): Usage[] {
  return processTree(supervisor).flatMap(pid => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      const anonymous = Number(/^Pss_Anon: *(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
      const descriptors = readdirSync(`/proc/${pid}/fd`).length;
      return [{ pid, role: pid === supervisor ? 'supervisor' : roleOf(pid), anonymous, descriptors }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

function roleOf(pid: number): Usage['role'] {
  const command = commandLine(pid);
  if (command.includes('ingest-main')) return 'ingest';
  return command.includes('worker') ? 'worker' : 'other';
}

/** Bytes of memory that a file in it takes; 0 when it is gone. */
export function takenBy(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}
