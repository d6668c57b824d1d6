import { infoKey, manifestKey } from '../../src/pipeline/storage/layout.js';
import { type ObjectStorage, putJson } from '../../src/pipeline/storage/object-storage.js';
import { PieceBuffer } from '../../src/pipeline/upload/piece-buffer.js';
import { beyond, NOTHING, PIECE_SIZE, UploadPieces } from '../../src/pipeline/upload/upload-pieces.js';

/** Puts bytes into a storage as an upload that is whole. */
export async function storeUpload(storage: ObjectStorage, id: string, bytes: Uint8Array): Promise<void> {
  const pieces = new UploadPieces(storage, id, bytes.length);
  for (let at = NOTHING; at.offset < bytes.length; ) {
    const piece = bytes.subarray(at.offset, at.offset + PIECE_SIZE);
    await pieces.put(at, sealed(piece));
    at = beyond(at, piece.length);
  }
  const info = { id, size: bytes.length, metadata: {}, created: new Date().toISOString(), owner: '' };
  await putJson(storage, infoKey(id), info);
  await putJson(storage, manifestKey(id), info);
}

/** A piece as it is stored. */
export function sealed(bytes: Uint8Array): Buffer {
  const piece = new PieceBuffer(bytes.length);
  piece.add(bytes);
  return piece.seal();
}
