import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_SIZE, type ObjectId } from '../../../../src/base/block.js';
import type { DiskReader } from '../../../../src/cache/disk/disk-reader.js';

export const MiB = 1024 * 1024;

/**
 * A folder that is gone when the test file has ended; in memory where there is room, so that commits don't wait for the
 * disk of the machine.
 */
export function temporaryFolder(after: (work: () => void) => void): string {
  const folder = mkdtempSync(join(hasRoom('/dev/shm') ? '/dev/shm' : tmpdir(), 'moovedge-disk-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > 1024 * MiB;
  } catch {
    return false;
  }
}

/** Id of the `n`th object. */
export function objectId(n: number): ObjectId {
  return Uint32Array.from([n, n * 7919 + 1, 0xdeadbeef, ~n]) as ObjectId;
}

const scratch = Buffer.alloc(BLOCK_SIZE);

/**
 * The bytes that block `block` of object `n` has: a function of all three, in a buffer that the next call overwrites.
 */
export function content(n: number, block: number, length = BLOCK_SIZE): Uint8Array {
  const words = new Uint32Array(scratch.buffer, scratch.byteOffset, BLOCK_SIZE / 4);
  let state = (n * 2654435761 + block * 40503 + 12345) >>> 0;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state;
  }
  return scratch.subarray(0, length);
}

/** `load` as a promise of a copy. */
export function load(reader: DiskReader, n: number, block: number, length = BLOCK_SIZE): Promise<Buffer | undefined> {
  return new Promise(resolve => {
    const id = objectId(n);
    reader.load(id, block, length, found => {
      const bytes = found ? (reader.held(id, block, length) ?? reader.read(id, block, length)) : undefined;
      resolve(bytes && Buffer.from(bytes));
    });
  });
}

/** Waits for the next turn of the event loop, in which snapshots of this one have ended. */
export function turn(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 2));
}
