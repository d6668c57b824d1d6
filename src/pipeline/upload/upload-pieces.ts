import { EdgeError } from '../../base/errors.js';
import { uploadPrefix } from '../storage/layout.js';
import type { ObjectStorage } from '../storage/object-storage.js';
import { CHECKSUM_SIZE, unsealed } from './piece-buffer.js';

/**
 * Bytes of a whole piece. No piece crosses a multiple of it, so it is known where each slot begins. Two of them, of
 * which one is being stored, and what streams hold are less than 1 MiB, which a client sends again at most after a
 * death.
 */
export const PIECE_SIZE = 416 * 1024;

/** Pieces that become durable at once, where that is cheaper than one by one. */
const FLUSHED_AT_ONCE = 32;

/**
 * Slots before the last one that has begun in which a machine that failed may have lost pieces: of those that were
 * being flushed, those that were to be flushed next, and the one that was being stored.
 */
const UNSURE = 2 * FLUSHED_AT_ONCE + 1;

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
 * Bytes of one upload, as immutable objects `<offset>-<length>`, each followed by its checksum.
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

  /** How many pieces are to be flushed at once. */
  get flushedAtOnce(): number {
    return this.#storage.lazy === undefined ? 1 : FLUSHED_AT_ONCE;
  }

  /**
   * Stores a piece. It is durable when it has been flushed, too.
   * @param sealed its bytes and their checksum
   * @returns false when somebody else has stored a shorter or longer one there
   * @throws EdgeError `bad_request` when its slot has too many
   */
  async put(at: Reached, sealed: Uint8Array): Promise<boolean> {
    const piece = { offset: at.offset, length: sealed.length - CHECKSUM_SIZE };
    const isShort = piece.length < this.room(at.offset);
    if (isShort && piece.length < PIECE_SIZE / PIECES_PER_SLOT && at.pieces >= PIECES_PER_SLOT) {
      throw new EdgeError('bad_request', `expected requests of at least ${PIECE_SIZE / PIECES_PER_SLOT} bytes`);
    }
    if (!isShort) return await this.#putWhole(piece, sealed);
    await this.#storage.put(this.#key(piece), sealed);
    const length = Buffer.from(String(piece.length));
    const isFirst = await this.#storage.put(this.#lengthKey(at.offset), length, { ifAbsent: true });
    return isFirst || (await this.#proved(at.offset))?.length === piece.length;
  }

  /** Makes pieces durable that were stored. */
  async flush(pieces: readonly UploadPiece[]): Promise<void> {
    if (pieces.length > 0) await this.#storage.lazy?.flush(pieces.map(piece => this.#key(piece)));
  }

  /**
   * How far the upload has come; what there is up to there is durable then.
   * @param known what it is known to have reached durably
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
    const unsure = this.#storage.lazy === undefined ? 0 : UNSURE;
    const sure = Math.max(Math.floor(known.offset / PIECE_SIZE), begun - unsure);
    let reached = { offset: sure * PIECE_SIZE, pieces: 0 };
    const found: UploadPiece[] = [];
    while (reached.offset < this.#size) {
      const piece = await this.#proved(reached.offset);
      if (piece === undefined) break;
      found.push(piece);
      reached = beyond(reached, piece.length);
    }
    if (reached.offset <= known.offset) return known;
    await this.flush(found);
    return reached;
  }

  /**
   * Bytes of a whole upload, piece by piece, each proved by its checksum.
   * @throws EdgeError `not_found` when one is missing; `origin_protocol` when it is damaged
   */
  async *bytes(): AsyncIterable<{ readonly offset: number; readonly bytes: Buffer }> {
    for (let offset = 0; offset < this.#size; ) {
      const bytes = await this.#read(offset);
      if (bytes === undefined) {
        if ((await this.#at(offset)) === undefined) {
          throw new EdgeError('not_found', `upload: the piece at ${offset} is missing`);
        }
        throw new EdgeError(
          'origin_protocol',
          `upload: expected the piece at ${offset} as it was stored, it is damaged`,
        );
      }
      yield { offset, bytes };
      offset += bytes.length;
    }
  }

  /** Stores a piece that ends where its slot or the upload does. */
  async #putWhole(piece: UploadPiece, sealed: Uint8Array): Promise<true> {
    const { lazy } = this.#storage;
    const key = this.#key(piece);
    // One that is there may be durable already, and stays unless a machine that failed has damaged it.
    if (lazy === undefined || !((await lazy.put(key, sealed)) || (await this.#bytesOf(piece)) !== undefined)) {
      await this.#storage.put(key, sealed);
    }
    return true;
  }

  /** The piece that begins at an offset, by name and size. */
  async #at(offset: number): Promise<UploadPiece | undefined> {
    const rest = this.#rest(offset);
    if ((await this.#storage.head(this.#key(rest))) === rest.length + CHECKSUM_SIZE) return rest;
    return await this.#short(offset);
  }

  /** The same, but where a machine that failed may have damaged pieces, a good one. */
  async #proved(offset: number): Promise<UploadPiece | undefined> {
    if (this.#storage.lazy === undefined) return await this.#at(offset);
    const bytes = await this.#read(offset);
    return bytes && { offset, length: bytes.length };
  }

  /** Bytes of a good piece that begins at an offset. One that ends its slot may be damaged, and another one good. */
  async #read(offset: number): Promise<Buffer | undefined> {
    const bytes = await this.#bytesOf(this.#rest(offset));
    if (bytes !== undefined) return bytes;
    const short = await this.#short(offset);
    return short && (await this.#bytesOf(short));
  }

  /** Bytes of a piece; undefined when it is missing or damaged. */
  async #bytesOf(piece: UploadPiece): Promise<Buffer | undefined> {
    const stored = await this.#storage.get(this.#key(piece));
    return stored && unsealed(stored, piece.length);
  }

  /** The piece at an offset that ends where its slot or the upload does. */
  #rest(offset: number): UploadPiece {
    return { offset, length: this.room(offset) };
  }

  /** The piece at an offset that ends before its slot does. */
  async #short(offset: number): Promise<UploadPiece | undefined> {
    const length = Number((await this.#storage.get(this.#lengthKey(offset)))?.toString('latin1'));
    return length > 0 && length < this.room(offset) ? { offset, length } : undefined;
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
