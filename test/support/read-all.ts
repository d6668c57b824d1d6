import { BLOCK_SIZE } from '../../src/base/block.js';
import type { BlockReader } from '../../src/cache/read/block-reader.js';
import { ContentVerifier, contentAt } from './content.js';

/**
 * Reads `[start, end)` as delivery does: what is there at once, then `want`. Rejects when the reader fails. `each` sees
 * every piece. `meansToReadTo` is what the reader is told, when that is more than is read.
 */
export function readAll(
  reader: BlockReader,
  start: number,
  end: number,
  each: (bytes: Uint8Array, offset: number) => void,
  meansToReadTo = end,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = start;
    const listener = {
      readable: () => {
        try {
          go();
        } catch (error) {
          reject(error);
        }
      },
      failed: reject,
    };
    const go = () => {
      while (at < end) {
        const bytes = reader.read(at, meansToReadTo)?.subarray(0, end - at);
        if (bytes === undefined) {
          reader.want(at, meansToReadTo, listener);
          return;
        }
        each(bytes, at);
        at += bytes.length;
        reader.release();
      }
      resolve();
    };
    listener.readable();
  });
}

/** What `verifyAll` expects. */
export interface VerifyOptions {
  readonly path: string;
  /** Default 'v1'. */
  readonly version?: string;
  /** Where the reader means to stop; default where it does. */
  readonly to?: number;
  /** Called after each piece. */
  readonly each?: () => void;
}

/** Reads `[start, end)` and checks each byte against the test content. */
export function verifyAll(
  reader: BlockReader,
  start: number,
  end: number,
  { path, version = 'v1', to = end, each }: VerifyOptions,
): Promise<void> {
  const check = (bytes: Uint8Array, offset: number) => {
    expectContent(bytes, path, version, offset);
    each?.();
  };
  return readAll(reader, start, end, check, to);
}

/** Blocks of test content, so that a crowd of readers doesn't spend its time on making it. */
const made = new Map<string, Buffer>();
const MADE_MAX = 256;

/** @throws Error at the first wrong byte of a piece that lies within one block */
function expectContent(bytes: Uint8Array, path: string, version: string, offset: number): void {
  const block = Math.floor(offset / BLOCK_SIZE);
  const key = `${path} ${version} ${block}`;
  let content = made.get(key);
  if (content === undefined) {
    content = contentAt(path, version, block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE);
    if (made.size >= MADE_MAX) made.clear();
    made.set(key, content);
  }
  const from = offset - block * BLOCK_SIZE;
  if (from + bytes.length > BLOCK_SIZE) throw new Error('a piece goes past the end of its block');
  if (content.compare(bytes, 0, bytes.length, from, from + bytes.length) === 0) return;
  new ContentVerifier(path, version, offset).push(bytes);
}
