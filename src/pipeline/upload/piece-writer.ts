import { PieceBuffer } from './piece-buffer.js';
import { ERRORS } from './tus.js';
import { beyond, PIECE_SIZE, type Reached, type UploadPiece, type UploadPieces } from './upload-pieces.js';

/** Milliseconds after which pieces are flushed however few they are, so that a machine that fails costs little. */
const FLUSH_INTERVAL = 2_000;

/** What a writer of pieces is made from. */
export interface PieceWriterOptions {
  readonly pieces: UploadPieces;
  /** What the upload has reached. */
  readonly at: Reached;
  /** Bytes of the upload when it is whole. */
  readonly size: number;
  /** Told what is reached durably, and how many bytes were added. */
  stored(reached: Reached, bytes: number): void;
  /** Told once when a piece can't be stored: nothing that comes is of use any more. */
  failed(): void;
}

/**
 * Stores the bytes of one request as pieces, one at a time and in order, and takes those of the next piece while one is
 * being stored. So it has two pieces in memory at most, and no more is lost when this process dies.
 */
export class PieceWriter {
  readonly #options: PieceWriterOptions;
  /** Where the piece begins that is being filled. */
  #at: Reached;
  #filling: PieceBuffer;
  #spare: PieceBuffer | undefined;
  #storing: Promise<void> = Promise.resolve();
  /** Pieces that are stored and not being flushed yet. */
  #loose: { readonly piece: UploadPiece; readonly reached: Reached }[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #flushed = performance.now();
  /** Why a piece could not be stored, or made durable. */
  #failure: unknown;

  constructor(options: PieceWriterOptions) {
    this.#options = options;
    this.#at = options.at;
    this.#filling = this.#buffer();
  }

  /**
   * Takes bytes.
   * @returns a promise when no more may come until it resolves
   * @throws what tus tells clients that send more than an upload has, and what `end` throws
   */
  add(bytes: Buffer): Promise<void> | undefined {
    if (bytes.length >= this.#room) return this.#addAcross(bytes);
    this.#filling.add(bytes);
    return undefined;
  }

  /**
   * Stores what is left, and waits until all is durable.
   * @returns what the upload has reached
   * @throws what the storage throws; what tus tells clients when another one sends the same upload, and goes on with it
   */
  async end(): Promise<Reached> {
    if (this.#filling.length > 0) await this.#store();
    await this.settled();
    await this.#flush();
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#at;
  }

  /** Waits until nothing is being stored any more. */
  async settled(): Promise<void> {
    await this.#storing;
  }

  /** Bytes that the piece may still get. */
  get #room(): number {
    return this.#options.pieces.room(this.#at.offset) - this.#filling.length;
  }

  /** Takes bytes that fill a piece. */
  async #addAcross(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const room = this.#room;
      if (room === 0) throw ERRORS.ERR_SIZE_EXCEEDED;
      const part = bytes.subarray(at, at + room);
      this.#filling.add(part);
      at += part.length;
      if (part.length === room) await this.#store();
    }
  }

  /** Begins to store what has been filled, when the piece before it is stored. */
  async #store(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure;
    const piece = this.#filling;
    const at = this.#at;
    this.#at = beyond(at, piece.length);
    this.#filling = this.#spare ?? this.#buffer();
    this.#filling.clear();
    this.#spare = piece;
    this.#storing = this.#put(at, piece).catch(error => this.#fail(error));
  }

  async #put(at: Reached, piece: PieceBuffer): Promise<void> {
    const { pieces } = this.#options;
    const { length } = piece;
    // Another request sends the same upload, and is to go on with it.
    if (!(await pieces.put(at, piece.seal()))) throw ERRORS.ERR_LOCK_TIMEOUT;
    this.#loose.push({ piece: { offset: at.offset, length }, reached: beyond(at, length) });
    const isLong = performance.now() - this.#flushed > FLUSH_INTERVAL;
    if (isLong || this.#loose.length >= pieces.flushedAtOnce) await this.#flush();
  }

  /** Begins to make durable what has been stored, when what was stored before is. */
  async #flush(): Promise<void> {
    await this.#flushing;
    const { pieces, stored } = this.#options;
    const loose = this.#loose;
    const last = loose.at(-1);
    if (last === undefined) return;
    this.#loose = [];
    this.#flushed = performance.now();
    this.#flushing = pieces.flush(loose.map(({ piece }) => piece)).then(
      () => stored(last.reached, last.reached.offset - loose[0]!.piece.offset),
      error => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#options.failed();
  }

  #buffer(): PieceBuffer {
    return new PieceBuffer(Math.min(PIECE_SIZE, this.#options.size));
  }
}
