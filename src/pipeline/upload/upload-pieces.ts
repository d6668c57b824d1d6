import { createHash } from 'node:crypto';
import { EdgeError } from '../../base/errors.js';
import { uploadPrefix } from '../storage/layout.js';
import type { ObjectStorage } from '../storage/object-storage.js';
import { DIGEST_SIZE } from './piece-buffer.js';

/**
 * Bytes of a whole piece. No piece crosses a multiple of it, so it is known where each slot begins. Two of them, of
 * which one is being stored, and what streams hold are less than 1 MiB, which a client sends again at most after a
 * death.
 */
export const PIECE_SIZE = 416 * 1024;

/** Most pieces of one slot. Clients that send so few bytes a request are refused. */
const PIECES_PER_SLOT = 64;

/** How far an upload has come. */
export interface Reached {
  /** Of the first byte that is missing. */
  readonly offset: number;
  /** Pieces that its slot has so far. */
  readonly pieces: number;
}

/** Of an upload that has nothing yet. */
export const NOTHING: Reached = { offset: 0, pieces: 0 };

/** A run of bytes of an upload, stored as one object. */
export interface UploadPiece {
  readonly offset: number;
  readonly length: number;
}

/**
 * Bytes of one upload, as immutable objects `<offset>-<length>`, each followed by its SHA-256.
 *
 * A piece that ends where its slot or the upload ends has a name that anybody can compute. Others, which come from
 * requests that end in the middle of a slot, are named by an object `<offset>` that holds their length, and of which
 * the first one stays. So how far an upload has come is found by asking for known names, without a listing, which may
 * lag, and never falls, whoever else is writing.
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
   * @param sealed its bytes and their digest
   * @returns false when somebody else has stored a shorter or longer one there
   * @throws EdgeError `bad_request` when its slot has too many
   */
  async put(at: Reached, sealed: Uint8Array): Promise<boolean> {
    const piece = { offset: at.offset, length: sealed.length - DIGEST_SIZE };
    const isShort = piece.length < this.room(at.offset);
    if (isShort && piece.length < PIECE_SIZE / PIECES_PER_SLOT && at.pieces >= PIECES_PER_SLOT) {
      throw new EdgeError('bad_request', `expected requests of at least ${PIECE_SIZE / PIECES_PER_SLOT} bytes`);
    }
    await this.#storage.put(this.#key(piece), sealed);
    if (!isShort) return true;
    const length = Buffer.from(String(piece.length));
    const isFirst = await this.#storage.put(this.#lengthKey(at.offset), length, { ifAbsent: true });
    return isFirst || (await this.#at(at.offset))?.length === piece.length;
  }

  /**
   * How far the upload has come.
   * @param known what it is known to have reached
   */
  async end(known = NOTHING): Promise<Reached> {
    // Slots are begun in order, so the last one that has begun is found by halves.
    const slots = Math.ceil(this.#size / PIECE_SIZE);
    let begun = Math.floor(known.offset / PIECE_SIZE);
    let unbegun = begun + 1;
    while (unbegun < slots && (await this.#at(unbegun * PIECE_SIZE)) !== undefined) {
      const step = unbegun - begun;
      begun = unbegun;
      unbegun = Math.min(slots, unbegun + 2 * step);
    }
    while (unbegun - begun > 1) {
      const middle = Math.floor((begun + unbegun) / 2);
      if ((await this.#at(middle * PIECE_SIZE)) === undefined) unbegun = middle;
      else begun = middle;
    }
    // From the beginning of the slot: another server may have stored one piece over several that are known here.
    let reached = { offset: begun * PIECE_SIZE, pieces: 0 };
    while (reached.offset < this.#size) {
      const piece = await this.#at(reached.offset);
      if (piece === undefined) break;
      reached = beyond(reached, piece.length);
    }
    return reached.offset > known.offset ? reached : known;
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

  /** The piece that begins at an offset. */
  async #at(offset: number): Promise<UploadPiece | undefined> {
    const rest = { offset, length: this.room(offset) };
    if ((await this.#storage.head(this.#key(rest))) === rest.length + DIGEST_SIZE) return rest;
    const length = Number((await this.#storage.get(this.#lengthKey(offset)))?.toString('latin1'));
    return length > 0 && length < rest.length ? { offset, length } : undefined;
  }

  #key({ offset, length }: UploadPiece): string {
    return `${this.#prefix}${offset}-${length}`;
  }

  #lengthKey(offset: number): string {
    return `${this.#prefix}${offset}`;
  }
}

/** What is reached when a piece of `length` bytes is added. */
export function beyond({ offset, pieces }: Reached, length: number): Reached {
  const end = offset + length;
  return { offset: end, pieces: end % PIECE_SIZE === 0 ? 0 : pieces + 1 };
}
