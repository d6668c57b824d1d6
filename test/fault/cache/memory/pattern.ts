import { BLOCK_SIZE, type ObjectId } from '../../../../src/base/block.js';

/** The object whose blocks tier processes fill. */
export const PATTERN_ID = Uint32Array.of(0xabcdef, 2, 3, 4) as ObjectId;

/** Length of a block of the pattern: most are whole. */
export function patternLength(block: number): number {
  return block % 4 === 3 ? 1 + ((block * 7919) % BLOCK_SIZE) : BLOCK_SIZE;
}

const base = Buffer.alloc(BLOCK_SIZE + 4096);
for (let i = 0; i < base.length; i++) base[i] = (Math.imul(i, 2654435761) >>> 13) & 255;

/** Bytes `[from, to)` of a block: the same for nobody else within 4096 blocks. */
export function pattern(block: number, from: number, to: number): Buffer {
  const shift = block % 4096;
  return base.subarray(shift + from, shift + to);
}
