import type { Asker } from '../../base/asker.js';
import { BLOCK_SIZE, blockOf } from '../../base/block.js';
import type { BlockLoader } from '../fetch/block-loader.js';
import { Pace } from './pace.js';

/** Has blocks brought ahead of need. */
export interface AheadHost {
  readonly loader: BlockLoader;
  /** Bytes. */
  readonly size: number;
  /** Has the blocks `[from, to)` brought for somebody; returns the block up to which all is there or on its way. */
  bringAhead(from: number, to: number, asker: Asker): number;
}

/**
 * Where one reader is, how far it means to go, and up to which block it has had bytes brought ahead. The window doubles
 * while it reads on in sequence, and falls back to the first one when it jumps or has paused.
 */
export class ReadAhead {
  readonly #host: AheadHost;
  readonly #asker: Asker;
  readonly #pace: Pace;
  /** Block of the last read that gave bytes; -1 before the first. */
  block = -1;
  /** End of what the reader means to read without a gap, in bytes; learnt from `read` and `want`. */
  end = 0;
  /** Block before which all is there or on its way; `wantedUpTo` promises the fills to read so far. */
  upTo = 0;
  /** Blocks that are fetched ahead when the end is open; 0 before the first. */
  #window = 0;
  /** `performance.now()` of the last read or want. */
  #active = 0;

  constructor(host: AheadHost, asker: Asker) {
    this.#host = host;
    this.#asker = asker;
    this.#pace = new Pace(host.loader.aheadTime);
  }

  /** Blocks `[from, to)` are on their way already. */
  begin(from: number, to: number): void {
    this.block = from - 1;
    this.upTo = to;
    this.end = to * BLOCK_SIZE;
    this.#window = this.#host.loader.firstWindow;
    this.#active = performance.now();
    this.#pace.restart(this.#active);
  }

  /** The reader shows that it lives. */
  touch(): void {
    this.#active = performance.now();
  }

  /** True when it has not read for so long that nothing more is to be brought for it. */
  get paused(): boolean {
    return performance.now() - this.#active > this.#host.loader.pauseAfter;
  }

  /** True when it has come to the end of what it asked for, and the object goes on. */
  get isAtEnd(): boolean {
    return this.block === this.#lastBlock() - 1 && this.end < this.#host.size;
  }

  /** The reader asks for `offset` and means to read on to `end`. */
  want(offset: number, end: number): void {
    const block = blockOf(offset);
    this.#expect(block, end);
    if (this.upTo <= block) this.upTo = Math.min(block + this.#reach(), this.#lastBlock());
  }

  /** The reader has come to another block, the last of `count` in a row, and means to read on to `end`. */
  advance(block: number, end: number, count = 1): void {
    this.#expect(block - count + 1, end);
    this.block = block;
    this.#pace.advance(this.#active, count);
  }

  /** True when half of what was seen to has been read, so that it is time to `bring` more. */
  get due(): boolean {
    const isEnough = this.upTo - this.block > this.#reach() >> 1 || this.upTo >= this.#lastBlock();
    return !isEnough || this.upTo <= this.block + 1;
  }

  /** Has more brought, and doubles the window. @param before called when there is something to bring */
  bring(before: () => void): void {
    this.#window = Math.min(this.#host.loader.maxWindow, this.#window * 2);
    const to = Math.min(this.block + this.#reach(), this.#lastBlock());
    const from = Math.max(this.block + 1, this.upTo);
    if (from >= to) return;
    // The fills ask how far they are wanted while they begin.
    this.upTo = to;
    before();
    this.upTo = this.#host.bringAhead(from, to, this.#asker);
  }

  /** Keeps account of where the reader is and how far it means to go. */
  #expect(block: number, end: number): void {
    const now = performance.now();
    const inSequence = block === this.block || block === this.block + 1;
    if (!inSequence || now - this.#active > this.#host.loader.pauseAfter || this.#window === 0) {
      this.end = 0;
      this.#window = this.#host.loader.firstWindow;
      this.upTo = 0;
      this.#pace.restart(now);
    }
    this.end = Math.min(Math.max(this.end, end), this.#host.size);
    this.#active = now;
  }

  /**
   * Blocks to fetch ahead: all up to an end inside the object, which was asked for as such. A reader to the object's
   * end may stop anywhere: nothing is fetched for it that it will not come to for long.
   */
  #reach(): number {
    const { maxRun, firstWindow } = this.#host.loader;
    if (this.end < this.#host.size) return maxRun;
    return Math.max(firstWindow, Math.min(this.#window, this.#pace.blocks(this.#active)));
  }

  /** The block just past what the reader means to read. */
  #lastBlock(): number {
    return Math.ceil(this.end / BLOCK_SIZE);
  }
}
