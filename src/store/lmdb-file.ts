import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { expectOwnFile, makeOwnFile } from '../base/own-files.js';

/*
 * The part of LMDB's files that is looked at before LMDB may open them. lmdb-js ends the process when opening fails,
 * and LMDB trusts what it maps, so whatever can be known to be wrong is found here. Little-endian.
 *
 * Data file: pages 0 and 1 are meta pages; the one with the higher transaction id counts.
 *    0  u64 page number
 *    8  u64 transaction id
 *   18  u16 flags, 8 = meta page
 *   24  u32 magic 0xBEEFC0DE
 *   28  u32 version of the format, 2, in the low 16 bits
 *   48  u32 page size
 *   88  u64 root page of the tree of free pages, or all ones
 *  136  u64 root page of the tree of tables, or all ones
 *  144  u64 last page in use
 *  152  u64 transaction id
 *
 * Lock file:
 *    0  u32 magic 0xBEEFC0DE
 */
const MAGIC = 0xbeefc0de;
const META_FLAG = 8;
const DATA_VERSION = 2;
const META_BYTES = 160;
const NO_PAGE = 0xffffffffffffffffn;

/** Readers that may be open at once in all processes together. */
export const MAX_READERS = 1024;
/** LMDB gives each reader a line of the processor's cache, after a head of a page at most. */
const LOCK_BYTES = MAX_READERS * 64 + 4096;
/** Bytes that a data file has at least: what LMDB writes when an environment is begun. */
export const BEGIN_BYTES = 256 * 1024;
/** Pages at the file's end that LMDB may have given out, taken back, and never written. */
const UNWRITTEN_PAGES = 64n;

/** What stands at the path of a data file. */
export type DataFileState =
  /** Nothing, or a file of no bytes: LMDB begins afresh. */
  | 'missing'
  /** LMDB can open it. */
  | 'sound'
  /** It was never a file of LMDB. */
  | 'foreign'
  /** It was a file of LMDB, and is damaged. */
  | 'damaged';

/**
 * Looks at the head of a data file, which others may be writing.
 * @throws Error of the file system, such as EACCES, ENOTDIR or EISDIR
 */
export function inspectDataFile(path: string): DataFileState {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.size === 0) return 'missing';
  const file = openSync(path, 'r');
  try {
    const first = readHead(file, 0);
    const pageSize = isMeta(first) ? first.readUInt32LE(48) : 4096;
    if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) return 'damaged';
    const second = readHead(file, pageSize);
    if (!isMeta(first)) return isMeta(second) ? 'damaged' : 'foreign';
    if (!isMeta(second) || second.readUInt32LE(48) !== pageSize) return 'damaged';
    const meta = first.readBigUInt64LE(152) >= second.readBigUInt64LE(152) ? first : second;
    const lastPage = meta.readBigUInt64LE(144);
    for (const root of [meta.readBigUInt64LE(88), meta.readBigUInt64LE(136)]) {
      if (root !== NO_PAGE && root > lastPage) return 'damaged';
    }
    // The size is read after the meta pages, since pages are written before the meta page that counts them.
    const pages = BigInt(Math.floor(fstatSync(file).size / pageSize));
    return lastPage < pages + UNWRITTEN_PAGES ? 'sound' : 'damaged';
  } finally {
    closeSync(file);
  }
}

/**
 * Makes sure that opening for writing will not fail for want of rights or space.
 * @param existing whether the data file is there
 * @throws Error of the file system: EACCES, EROFS, ENOSPC
 */
export function prepareForWriting(path: string, existing: boolean): void {
  if (existing) {
    accessSync(path, constants.R_OK | constants.W_OK);
  } else {
    probe(path);
    // Made here, because LMDB would let other users read it.
    makeOwnFile(path);
  }
  prepareLock(path);
}

/**
 * Makes sure that opening for reading will not fail. On a read-only file system there need not be a lock file.
 * @throws Error of the file system: EACCES, ENOSPC
 */
export function prepareForReading(path: string): void {
  try {
    prepareLock(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
  }
}

/**
 * LMDB maps its lock file and writes to the map, which on a full disk would be a SIGBUS, so the file is made here with
 * all its bytes. One that is damaged is replaced.
 */
function prepareLock(path: string): void {
  const lock = `${path}-lock`;
  if (expectOwnFile(lock) && isLockFile(lock)) {
    accessSync(lock, constants.R_OK | constants.W_OK);
    return;
  }
  const fresh = `${lock}.${process.pid}`;
  try {
    writeZeros(fresh, LOCK_BYTES);
    if (existsSync(lock)) rmSync(lock);
    linkSync(fresh, lock);
  } catch (error) {
    // Another process was faster: both must use the same file.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

function readHead(file: number, at: number): Buffer {
  const head = Buffer.alloc(META_BYTES);
  readSync(file, head, 0, META_BYTES, at);
  return head;
}

function isMeta(page: Buffer): boolean {
  return (
    (page.readUInt16LE(18) & META_FLAG) !== 0 &&
    page.readUInt32LE(24) === MAGIC &&
    page.readUInt16LE(28) === DATA_VERSION
  );
}

function isLockFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(4);
    readSync(file, head, 0, 4, 0);
    const magic = head.readUInt32LE(0);
    // Zeros in place of the magic: the file was made here, and LMDB has not opened it yet.
    return magic === MAGIC || (magic === 0 && found.size >= LOCK_BYTES);
  } finally {
    closeSync(file);
  }
}

/** Sees whether a new data file can be begun. */
function probe(path: string): void {
  const file = `${path}.${process.pid}`;
  try {
    writeZeros(file, BEGIN_BYTES);
  } finally {
    rmSync(file, { force: true });
  }
}

function writeZeros(path: string, bytes: number): void {
  rmSync(path, { force: true });
  // Made anew, so that a link that somebody has put there is not followed.
  const file = openSync(path, 'wx', 0o600);
  try {
    const zeros = Buffer.alloc(bytes);
    for (let written = 0; written < bytes; ) written += writeSync(file, zeros, written);
  } finally {
    closeSync(file);
  }
}
