/** Bytes of a block, the unit in which objects are fetched, cached and evicted. A power of two. */
export const BLOCK_SIZE = 256 * 1024;

/**
 * 128-bit id of one version of one object: a hash of origin, path and validator, as four 32-bit words.
 * Two versions of a file have different ids, so their blocks never mix.
 */
export type ObjectId = Uint32Array & { readonly __objectId: unique symbol };

/** Number of the block that holds byte `offset` of an object. */
export function blockOf(offset: number): number {
  return Math.floor(offset / BLOCK_SIZE);
}

/**
 * Bytes of block `block` in an object of `size` bytes; the last block is the rest, and a block past the end has none.
 */
export function blockLength(size: number, block: number): number {
  return Math.max(0, Math.min(BLOCK_SIZE, size - block * BLOCK_SIZE));
}
