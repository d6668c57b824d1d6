import { blockOf } from '../../base/block.js';
import type { ByteSource } from '../../base/byte-source.js';
import { EdgeError } from '../../base/errors.js';

/**
 * What a task may cost that reads a file, however the file is made. The same file costs the same on every machine and
 * at every load.
 */
export interface Budget {
  /** Nanoseconds of a core, about, by the prices below. */
  readonly work: number;
  /** Bytes of memory for what is kept while the task lasts. */
  readonly memory: number;
  /**
   * Up to what `work` and `memory` grow while the task reads block after block of the file; left out when they do not.
   * A long film has more to look at, and whoever makes an edge fetch a block makes it work about as much by that alone.
   */
  readonly most?: { readonly work: number; readonly memory: number };
}

/**
 * For compiling an index: all formats that are tried share it.
 * @param longest milliseconds of a core that a file may take of which many blocks must be read
 */
export function compileBudget(longest: number): Budget {
  const least = { work: 500e6, memory: 48 * 1024 * 1024 };
  return { ...least, most: { work: Math.max(least.work, longest * 1e6), memory: 96 * 1024 * 1024 } };
}

export const COMPILE_BUDGET = compileBudget(10_000);
/** For planning one cut with an index that is there. */
export const PLAN_BUDGET: Budget = { work: 100e6, memory: 16 * 1024 * 1024 };

/** Prices in nanoseconds: of a read, and of each byte that is copied. */
const READ = 850;
const BYTE = 1 / 4;
/** Work between two turns of the event loop, nanoseconds. */
const SLICE = 2e6;
/** Work of a long task. */
const LONG = 20e6;
/** By what a budget grows with each block that is read for the first time. */
const BLOCK_WORK = 500e3;
const BLOCK_MEMORY = 8192;

/**
 * The bytes of an object for one task, which is refused when it costs more than its budget. Whatever loops over what a
 * file says takes its bytes from here; a loop that does much to few bytes pays for that by `spend`, and one that keeps
 * something for each of them by `keep`.
 */
export class MeteredSource implements ByteSource {
  readonly size: number;
  /** Spent so far, and allowed so far. */
  #work = 0;
  #memory = 0;
  #workAllowed: number;
  #memoryAllowed: number;
  /** `#work` when the event loop turned last. */
  #turned = 0;
  /** Blocks that were read, as long as the budget grows with them, and the last of them. */
  #blocks: Set<number> | undefined;
  #block = -1;

  constructor(
    private readonly source: ByteSource,
    private readonly budget: Budget,
  ) {
    this.size = source.size;
    this.#workAllowed = budget.work;
    this.#memoryAllowed = budget.memory;
  }

  /** `source` itself when a budget is set for it already, otherwise with `budget`. */
  static over(source: ByteSource, budget: Budget): MeteredSource {
    return source instanceof MeteredSource ? source : new MeteredSource(source, budget);
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.#pay(offset, length);
    return this.source.read(offset, length);
  }

  lend(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.#pay(offset, length);
    return this.source.lend?.(offset, length) ?? this.source.read(offset, length);
  }

  #pay(offset: number, length: number): void {
    if (this.budget.most) this.#grow(this.budget.most, blockOf(offset), blockOf(offset + length - 1));
    this.spend(READ + length * BYTE);
  }

  #grow(most: { readonly work: number; readonly memory: number }, first: number, last: number): void {
    for (let block = first; block <= last; block++) {
      if (block === this.#block || this.#workAllowed >= most.work) continue;
      this.#block = block;
      this.#blocks ??= new Set();
      if (this.#blocks.has(block)) continue;
      this.#blocks.add(block);
      this.#workAllowed = Math.min(most.work, this.#workAllowed + BLOCK_WORK);
      this.#memoryAllowed = Math.min(most.memory, this.#memoryAllowed + BLOCK_MEMORY);
    }
  }

  /** @throws EdgeError `media_too_large` when the task has cost more than it may */
  spend(nanoseconds: number): void {
    this.#work += nanoseconds;
    if (this.#work > this.#workAllowed) throw tooMuch('it would take too long to find its way through it');
  }

  /** @throws EdgeError `media_too_large` when more is kept than may be */
  keep(bytes: number): void {
    this.#memory += bytes;
    if (this.#memory > this.#memoryAllowed) throw tooMuch('it would take too much memory to find its way through it');
  }

  /** Whether other work has waited long enough. */
  get due(): boolean {
    return this.#work - this.#turned >= SLICE;
  }

  /** Lets the event loop turn when that is due; `yield*` it where a loop does much between two reads. */
  *breathe(): Generator<Promise<void>, void> {
    if (!this.due) return;
    yield new Promise<void>(resolve => setImmediate(resolve));
    this.#turned = this.#work;
  }

  /** The same before what is not counted, and is long after a long task. */
  *turn(): Generator<Promise<void>, void> {
    if (this.#work < LONG) return;
    yield new Promise<void>(resolve => setImmediate(resolve));
    this.#turned = this.#work;
  }
}

function tooMuch(why: string): EdgeError {
  return new EdgeError('media_too_large', `can't seek in this file: ${why}; make it anew with a simpler index`);
}
