/** What we send: commands and control messages, a few hundred bytes each, so one header of type 0 for each. */

/** Chunk streams that we send on. */
export const CONTROL_CHUNKS = 2;
export const COMMAND_CHUNKS = 3;

/**
 * A message with timestamp 0 as chunks.
 * @param chunkSize most bytes of a chunk
 */
export function writeMessage(
  chunkStream: number,
  type: number,
  streamId: number,
  payload: Uint8Array,
  chunkSize: number,
): Buffer {
  const head = Buffer.alloc(12);
  head[0] = chunkStream;
  head.writeUIntBE(payload.length, 4, 3);
  head[7] = type;
  head.writeUInt32LE(streamId, 8);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at < payload.length; at += chunkSize) {
    if (at > 0) parts.push(Uint8Array.of(0xc0 | chunkStream));
    parts.push(payload.subarray(at, at + chunkSize));
  }
  return Buffer.concat(parts);
}

/** The payload of a control message: one number of 32 bits. */
export function controlNumber(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}
