import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

/**
 * A folder for one run; in memory where there is room for `bytes`, so that no disk takes part.
 */
export function runFolder(bytes = 0): string {
  const folder = mkdtempSync(join(inMemory(bytes) ? '/dev/shm' : tmpdir(), 'moovedge-bench-'));
  folders.add(folder);
  return folder;
}

/** A folder for one run, on the disk of the machine's temporary folder. */
export function diskFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-bench-'));
  folders.add(folder);
  return folder;
}

/** Removes all folders of this run. */
export function removeFolders(): void {
  // A server that has just been ended may have made a file meanwhile.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.clear();
}

/** Writes a file of `size` bytes that no compression makes smaller, the same in every run. */
export function writeNoise(file: string, size: number): string {
  const words = new Uint32Array(256 * 1024);
  const handle = openSync(file, 'w');
  let state = 1;
  for (let written = 0; written < size; ) {
    for (let i = 0; i < words.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[i] = state;
    }
    written += writeSync(handle, words, 0, Math.min(words.byteLength, size - written));
  }
  closeSync(handle);
  return file;
}

function inMemory(bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize > bytes + 512 * 1024 * 1024;
  } catch {
    return false;
  }
}
