/** How a process ended. */
export interface ExitStatus {
  /** Exit code; null when a signal ended it, or when it never began. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Signals by which the kernel ends a process that touches pages that are damaged, unreadable or not there. */
const MEMORY_FAULTS: ReadonlySet<NodeJS.Signals | null> = new Set([
  'SIGSEGV',
  'SIGBUS',
  'SIGABRT',
  'SIGFPE',
  'SIGILL',
] as const);

/** True when a damaged page of a mapped file may have ended the process. */
export function isMemoryFault({ signal }: ExitStatus): boolean {
  return MEMORY_FAULTS.has(signal);
}

/** An exit status in words. */
export function describeExit({ code, signal }: ExitStatus): string {
  if (signal !== null) return signal;
  return code === null ? 'the system has no room for another process' : `exit code ${code}`;
}
