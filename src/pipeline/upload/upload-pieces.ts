import { createHash } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import { uploadPrefix } from '../storage/layout.js';
import type { ObjectStorage } from '../storage/object-storage.js';

/** Bytes of a whole piece. No piece crosses a multiple of it, so it is known where each slot begins. */
export const PIECE_SIZE = 1024 * 1024;

/** Most pieces of one slot. Clients that send so few bytes a request are refused. */
const PIECES_PER_SLOT = 64;

/** Bytes of the SHA-256 that stands behind the bytes of each piece. */
const DIGEST_SIZE = 32;

/** A run of bytes of an upload, stored as one object. */
export interface UploadPiece {
  readonly offset: number;
  readonly length: number;
}

/**
 * Bytes of one upload, as immutable objects `<offset>-<length>`, each followed by its SHA-256.
 *
 * A piece that ends where its slot or the upload ends has a name that anybody can compute. Others, which come from
 * requests that end in the middle of a slot, are named by an object `<offset>` that holds their length. So how far an
 * upload has come is found by asking for known names, without a listing, which may lag, and without anything that is
 * rewritten.
 */
export class UploadPieces {
  readonly #storage: ObjectStorage;
  readonly #prefix: string;
  readonly #size: number;

  /** @param size bytes of the upload when it is whole */
  constructor(storage: ObjectStorage, id: string, size: number) {
    this.#storage = storage;
    this.#prefix = uploadPrefix(id);
    this.#size = size;
  }

  /** Most bytes that a piece at `offset` has. */
  room(offset: number): number {
    return Math.min(this.#size, (Math.floor(offset / PIECE_SIZE) + 1) * PIECE_SIZE) - offset;
  }

  /**
   * Stores a piece; it is durable when the promise resolves.
   * @throws EdgeError `bad_request` when its slot has too many
   */
  async put(offset: number, bytes: Uint8Array): Promise<void> {
    const length = bytes.length;
    const isShort = length < this.room(offset);
    if (isShort && length < PIECE_SIZE / PIECES_PER_SLOT && (await this.#inSlot(offset)).length >= PIECES_PER_SLOT) {
      throw new EdgeError('bad_request', `expected requests of at least ${PIECE_SIZE / PIECES_PER_SLOT} bytes`);
    }
    const digest = createHash('sha256').update(bytes).digest();
    await this.#storage.put(this.#key({ offset, length }), Buffer.concat([bytes, digest]));
    if (isShort) await this.#storage.put(`${this.#prefix}${offset}`, Buffer.from(String(length)));
  }

  /**
   * Offset of the first byte that is missing.
   * @param known an offset up to which it is known that nothing is
   */
  async end(known = 0): Promise<number> {
    // Slots are begun in order, so the last one that has begun is found by halves.
    const slots = Math.ceil(this.#size / PIECE_SIZE);
    let begun = Math.floor(known / PIECE_SIZE);
    let beyond = begun + 1;
    while (beyond < slots && (await this.#at(beyond * PIECE_SIZE)) !== undefined) {
      const step = beyond - begun;
      begun = beyond;
      beyond = Math.min(slots, beyond + 2 * step);
    }
    while (beyond - begun > 1) {
      const middle = Math.floor((begun + beyond) / 2);
      if ((await this.#at(middle * PIECE_SIZE)) === undefined) beyond = middle;
      else begun = middle;
    }
    const last = (await this.#inSlot(Math.max(known, begun * PIECE_SIZE))).at(-1);
    return last === undefined ? Math.max(known, begun * PIECE_SIZE) : last.offset + last.length;
  }

  /** All pieces of a whole upload, in order. */
  async *all(): AsyncIterable<UploadPiece> {
    for (let offset = 0; offset < this.#size; ) {
      const piece = await this.#at(offset);
      if (piece === undefined) throw new EdgeError('not_found', `upload: the piece at ${offset} is missing`);
      yield piece;
      offset += piece.length;
    }
  }

  /**
   * Bytes of a piece.
   * @throws EdgeError `not_found` when it is missing; `origin_protocol` when it is damaged
   */
  async read({ offset, length }: UploadPiece): Promise<Buffer> {
    const stored = await this.#storage.get(this.#key({ offset, length }));
    if (stored === undefined) throw new EdgeError('not_found', `upload: the piece at ${offset} is missing`);
    const bytes = stored.subarray(0, length);
    const digest = createHash('sha256').update(bytes).digest();
    if (stored.length !== length + DIGEST_SIZE || !digest.equals(stored.subarray(length))) {
      throw new EdgeError('origin_protocol', `upload: expected the piece at ${offset} as it was stored, it is damaged`);
    }
    return bytes;
  }

  /** UploadPieces from `offset` to the end of its slot or the first gap. */
  async #inSlot(offset: number): Promise<UploadPiece[]> {
    const start = Math.floor(offset / PIECE_SIZE) * PIECE_SIZE;
    const pieces: UploadPiece[] = [];
    for (let at = start; at < Math.min(this.#size, start + PIECE_SIZE); ) {
      const piece = await this.#at(at);
      if (piece === undefined) break;
      pieces.push(piece);
      at += piece.length;
    }
    return pieces;
  }

  /** The piece that begins at an offset. */
  async #at(offset: number): Promise<UploadPiece | undefined> {
    const rest = { offset, length: this.room(offset) };
    if ((await this.#storage.head(this.#key(rest))) === rest.length + DIGEST_SIZE) return rest;
    const length = Number((await this.#storage.get(`${this.#prefix}${offset}`))?.toString('latin1'));
    return length > 0 && length < rest.length ? { offset, length } : undefined;
  }

  #key({ offset, length }: UploadPiece): string {
    return `${this.#prefix}${offset}-${length}`;
  }
}
