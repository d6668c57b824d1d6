import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expectOwnFile, makeOwnFolder } from '../../base/own-files.js';

const CHUNK = 4 * 2 ** 20;
const NOTHING = Buffer.alloc(CHUNK);
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Copies a memory tier, which may be in use: what changes meanwhile is found out by its checksum when it is used. Pages
 * of zeros become holes.
 * @param descriptor of the tier's file
 * @param target is replaced when the copy is whole and on disk
 * @returns bytes that were written
 * @throws (rejects with) Error of the file system, or the signal's
 */
export async function saveSnapshot(descriptor: number, target: string, signal: AbortSignal): Promise<number> {
  makeOwnFolder(dirname(target));
  return copyTo(`/proc/self/fd/${descriptor}`, target, signal, true);
}

/**
 * Puts a snapshot in the place of a memory tier that is not there. The copy has no holes, so that there is room for all
 * of it from here on.
 * @returns false when there is no snapshot
 * @throws (rejects with) Error of the file system
 */
export async function restoreSnapshot(snapshot: string, file: string): Promise<boolean> {
  if (!expectOwnFile(snapshot)) return false;
  await copyTo(snapshot, file, undefined, false);
  return true;
}

/** @param holes whether zeros are left out */
async function copyTo(from: string, target: string, signal: AbortSignal | undefined, holes: boolean): Promise<number> {
  const part = `${target}.part`;
  // Of a copy that did not come to its end.
  await rm(part, { force: true });
  const source = await open(from);
  try {
    const copy = await open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      const written = await copyChunks(source, copy, signal, holes);
      if (holes) await copy.sync();
      await rename(part, target);
      return written;
    } finally {
      await copy.close();
    }
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

async function copyChunks(
  source: FileHandle,
  copy: FileHandle,
  signal: AbortSignal | undefined,
  holes: boolean,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  const { size } = await source.stat();
  let written = 0;
  for (let at = 0; at < size; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    if (!holes || !chunk.equals(NOTHING.subarray(0, bytesRead))) {
      await writeWhole(copy, chunk, at);
      written += bytesRead;
    }
    at += bytesRead;
  }
  if (holes) await copy.truncate(size);
  return written;
}

async function writeWhole(file: FileHandle, chunk: Buffer, at: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
}
