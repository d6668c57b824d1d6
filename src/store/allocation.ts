import { closeSync, constants, fstatSync, openSync, statfsSync, writeSync } from 'node:fs';

const ZEROS = Buffer.alloc(256 * 1024);

/**
 * Makes a file at least `bytes` long, with space on the disk behind every byte, so that who writes there later does not
 * fail for want of space or quota, nor because the file system was mounted read-only since. Zeros are appended, never
 * put over what another process has appended meanwhile.
 * @param inode of the file that is meant
 * @throws Error of the file system: ENOSPC, EDQUOT, EROFS, EIO, and ESTALE when another file stands at `path`; what was
 *   allocated until then stays
 */
export function allocate(path: string, inode: number, bytes: number): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  try {
    const { ino, size } = fstatSync(file);
    if (ino !== inode) throw failure('ESTALE', `expected the file that was opened at ${path}, found another`);
    let missing = bytes - size;
    if (missing > 0) expectSpace(path, missing);
    while (missing > 0) missing -= writeSync(file, ZEROS, 0, Math.min(missing, ZEROS.length));
  } finally {
    closeSync(file);
  }
}

/**
 * Expects `bytes` to be free on the file system of `path`, before any of them is taken.
 * @throws Error with code ENOSPC, or of the file system
 */
export function expectSpace(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (free < bytes) throw failure('ENOSPC', `expected ${bytes} bytes free for ${path}, found ${free}`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
