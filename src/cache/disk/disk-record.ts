import { BLOCK_SIZE, type ObjectId } from '../../base/block.js';
import { native } from '../../base/native.js';

/*
 * What the disk tier stores. Two tables:
 *
 *   index    block key                       → sequence number, u64 big-endian
 *   blocks   sequence number, then block key → value
 *
 * The blocks' keys are in the order in which they were written, so the first is the next to go. The block key is part
 * of it, so that making room needs to read no value.
 *
 * Block key, 20 bytes:
 *    0  object id, four u32 little-endian
 *   16  block number, u32 big-endian
 *
 * Value, always 262,192 bytes whatever the block's length, so that LMDB puts each new one exactly where an old one was.
 * Little-endian:
 *    0  magic and version, "MVB1"
 *    4  u32 length of the block, 1 to 262,144
 *    8  u32 checksum of the block's bytes, CRC32C
 *   12  u32 zero
 *   16  block key, 20 bytes
 *   36  12 zeros
 *   48  the block's bytes; behind the last, whatever was there
 *
 * Workers read values by native/stored_blocks.cc.
 */
const MAGIC = 0x3142564d;
const LENGTH_AT = 4;
const CHECKSUM_AT = 8;
const KEY_AT = 16;
const DATA_AT = 48;

/** Bytes of a block key. */
export const BLOCK_KEY_BYTES = 20;
/** Bytes of a sequence number. */
export const SEQUENCE_BYTES = 8;
/** Bytes of a key of the table of blocks. */
const RING_KEY_BYTES = SEQUENCE_BYTES + BLOCK_KEY_BYTES;
/** Bytes of a value of the table of blocks. */
export const VALUE_BYTES = DATA_AT + BLOCK_SIZE;

/** The checksum of a block's bytes. */
export function checksumOf(bytes: Uint8Array): number {
  return native.crc32c(0, bytes);
}

/** Writes the block key of a block into `key` and returns it. */
export function writeBlockKey(key: Buffer, id: ObjectId, block: number): Buffer {
  for (let word = 0; word < 4; word++) key.writeUInt32LE(id[word]!, word * 4);
  key.writeUInt32BE(block, 16);
  return key;
}

/** The block that a block key names. */
export function readBlockKey(key: Uint8Array): { id: ObjectId; block: number } {
  const view = Buffer.from(key.buffer, key.byteOffset, BLOCK_KEY_BYTES);
  const id = Uint32Array.from([0, 4, 8, 12], at => view.readUInt32LE(at)) as ObjectId;
  return { id, block: view.readUInt32BE(16) };
}

/** The key of a block in the table of blocks. `sequence` is the index's value or an integer. */
export function ringKey(sequence: Uint8Array | bigint, blockKey: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(RING_KEY_BYTES);
  if (typeof sequence === 'bigint') key.writeBigUInt64BE(sequence);
  else key.set(sequence.subarray(0, SEQUENCE_BYTES));
  key.set(blockKey, SEQUENCE_BYTES);
  return key;
}

/** The two parts of a key of the table of blocks, as views. */
export function splitRingKey(key: Uint8Array): { sequence: Uint8Array; blockKey: Uint8Array } {
  return { sequence: key.subarray(0, SEQUENCE_BYTES), blockKey: key.subarray(SEQUENCE_BYTES, RING_KEY_BYTES) };
}

/** Writes the value of a block into `value`, which has `VALUE_BYTES` bytes. */
export function writeValue(value: Buffer, blockKey: Uint8Array, bytes: Uint8Array, checksum: number): void {
  value.fill(0, 0, DATA_AT);
  value.writeUInt32LE(MAGIC);
  value.writeUInt32LE(bytes.length, LENGTH_AT);
  value.writeUInt32LE(checksum >>> 0, CHECKSUM_AT);
  value.set(blockKey, KEY_AT);
  value.set(bytes, DATA_AT);
}
