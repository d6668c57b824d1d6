import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

/*
 * Files that nobody else may read or change: they hold URLs with signatures, request fields and films, and LMDB trusts
 * what it maps. Whoever owns a file or its folder can change it, so both must belong to this process's user or to root.
 */

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS_MAY_WRITE = 0o002;
const OTHERS_MAY_DO = 0o077;
const STICKY = 0o1000;

/**
 * Makes a folder, with those above it, for this user alone. One that is there is taken as it is, but that others may
 * not write to it when it is ours.
 * @throws Error of the file system, and one with the code `EOTHER` when somebody else owns the folder or the link to it
 */
export function makeOwnFolder(path: string): void {
  const missing: string[] = [];
  // One by one: a recursive mkdir of Node never comes back from /proc, where nothing can be made.
  for (let at = resolve(path); !isThere(at); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder, FOLDER_MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  expectOwnFolder(path);
}

/**
 * Expects that no other user owns a folder, or a link that stands in its place.
 * @throws Error, as `makeOwnFolder`
 */
export function expectOwnFolder(path: string): void {
  expectOwn(path, lstatSync(path));
  const status = statSync(path);
  if (!status.isDirectory()) throw failure('ENOTDIR', `${path} is no folder`);
  expectOwn(path, status);
  if (!isOurs(status) || (status.mode & (OTHERS_MAY_WRITE | STICKY)) !== OTHERS_MAY_WRITE) return;
  chmodSync(path, status.mode & 0o7777 & ~OTHERS_MAY_WRITE);
}

/**
 * Expects a file that no other user owns, and takes the rights of others to it away. A link in its place is not
 * followed.
 * @returns false when there is no such file
 * @throws Error of the file system (ELOOP for a link), and one with the code `EOTHER` when somebody else owns the file
 *   or its folder
 */
export function expectOwnFile(path: string): boolean {
  if (!isThere(dirname(path))) return false;
  expectOwnFolder(dirname(path));
  return withFile(path, constants.O_RDONLY);
}

/**
 * Makes an empty file for this user alone, when there is none.
 * @throws Error, as `expectOwnFile`
 */
export function makeOwnFile(path: string): void {
  expectOwnFolder(dirname(path));
  withFile(path, constants.O_RDWR | constants.O_CREAT);
}

/**
 * Writes a file for this user alone, in the place of the one that is there: others see the old text or the new one.
 * @throws Error, as `makeOwnFolder` and `expectOwnFile`
 */
export function replaceOwnFile(path: string, text: string): void {
  const next = `${path}.new`;
  makeOwnFolder(dirname(path));
  makeOwnFile(next);
  writeFileSync(next, text, { flush: true } as object);
  renameSync(next, path);
}

function withFile(path: string, flags: number): boolean {
  let file: number;
  try {
    // O_NONBLOCK: a fifo in the place of the file must not block.
    file = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, FILE_MODE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    if (code === 'ELOOP') throw failure('ELOOP', `${path} is a link to ${readlinkSync(path)}, which is not followed`);
    throw error;
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw failure(status.isDirectory() ? 'EISDIR' : 'EINVAL', `${path} is no file`);
    expectOwn(path, status);
    if (isOurs(status) && (status.mode & OTHERS_MAY_DO) !== 0) makePrivate(file);
    return true;
  } finally {
    closeSync(file);
  }
}

function makePrivate(file: number): void {
  try {
    fchmodSync(file, FILE_MODE);
  } catch (error) {
    // On a read-only filesystem rights stay as they are.
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
  }
}

/** @throws Error with the code `EOTHER` when `status` is that of another user's file or folder. */
function expectOwn(path: string, status: Stats): void {
  if (status.uid === 0 || isOurs(status)) return;
  const why = `${path} belongs to user ${status.uid}, who could change what players get: remove it, name another path, or run as that user`;
  throw failure('EOTHER', why);
}

function isOurs({ uid }: Stats): boolean {
  return uid === process.geteuid?.();
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // A part of the path is a file: mkdir will say so.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw error;
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
