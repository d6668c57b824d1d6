import { EdgeError } from '../base/errors.js';
import type { AsideReason } from './move-aside.js';

/** LMDB's codes (lmdb.h, "Return Codes") that say that the file is not what it should be. */
const WRONG_DATA = new Map([
  [-30797, 'a page is missing'],
  [-30796, 'a page is damaged'],
  [-30795, 'the environment failed'],
  [-30794, 'the file is of another version of LMDB'],
  [-30793, 'the file is not one of LMDB'],
  [-30784, 'the tables are of another kind'],
  [-30780, 'a table is missing'],
  [-30779, 'the structure is broken'],
]);

/** Codes of the operating system (errno.h) and what to do. */
const SYSTEM: Record<number, string> = {
  1: 'permission denied: give the user of the edge the right to write there',
  5: 'the disk failed or is full: look at the kernel log and at the free space',
  11: 'the lock is held: is another program using the file?',
  12: 'out of memory',
  13: 'permission denied: give the user of the edge the right to write there',
  20: 'a part of the path is not a folder',
  21: 'a folder stands where the file should be: remove it or name another path',
  22: 'the file system does not support what LMDB needs (shared memory maps and locks)',
  24: 'too many open files: raise the limit',
  28: 'the disk is full: free space or lower the size',
  30: 'the file system is read-only: mount it writable or name another path',
  122: 'the disk quota is used up: raise it or lower the size',
};

const BY_NAME: Record<string, number> = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 20,
  ENOTDIR: 20,
  EISDIR: 21,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  EDQUOT: 122,
};

/** What is at the path is not what was expected there. */
export class UnusableData extends Error {
  constructor(
    readonly reason: AsideReason,
    message: string,
  ) {
    super(message);
  }
}

/** True when `error`, or the cause of an EdgeError `store`, says that an environment is damaged. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof EdgeError ? error.options.cause : error;
  return cause instanceof UnusableData ? cause.reason === 'damaged' : wrongData(cause);
}

/** True when `error`, or the cause of an EdgeError `store`, is LMDB's own, and not found before LMDB was asked. */
export function isLmdbFailure(error: unknown): boolean {
  const cause = error instanceof EdgeError ? error.options.cause : error;
  return typeof (cause as { code?: unknown } | undefined)?.code === 'number';
}

/** True when an error of LMDB says that the data themselves are wrong, so that trying again can't help. */
function wrongData(error: unknown): boolean {
  return WRONG_DATA.has(codeOf(error));
}

/** `error` as an EdgeError `store` that names `path` and says what to do; an EdgeError stays what it is. */
export function storeError(path: string, error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  const code = codeOf(error);
  const found = WRONG_DATA.get(code) ?? SYSTEM[code] ?? (error instanceof Error ? error.message : String(error));
  return new EdgeError('store', `${path} can not be used: ${found}`, { cause: error });
}

function codeOf(error: unknown): number {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === 'number') return code;
  return typeof code === 'string' ? (BY_NAME[code] ?? 0) : 0;
}

/** lmdb-js rejects a failed batch with an error whose `commitError` is a promise that rejects with the cause. */
export async function commitCause(error: unknown): Promise<unknown> {
  try {
    await (error as { commitError?: Promise<unknown> }).commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
