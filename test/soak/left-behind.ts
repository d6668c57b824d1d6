import { readdirSync, readFileSync } from 'node:fs';

/** Environment variable that every process of an edge inherits, by which those left behind are found. */
const MARK = 'MOOVEDGE_SOAK';

/** Marks this process, and all that it starts from now on. @returns the mark */
export function markProcesses(): string {
  const mark = `${process.pid}-${Date.now()}`;
  process.env[MARK] = mark;
  return mark;
}

/** Processes that have inherited a mark, other than this one, with what they were started with. */
export function leftBehind(mark: string): { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(name => text(`/proc/${name}/environ`).includes(`${MARK}=${mark}`))
    .map(name => ({ pid: Number(name), command: text(`/proc/${name}/cmdline`).replaceAll('\0', ' ') }));
}

function text(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
