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
}

/** For compiling an index: all formats that are tried share it. */
export const COMPILE_BUDGET: Budget = { work: 1e9, memory: 48 * 1024 * 1024 };
/** For planning one cut with an index that is there. */
export const PLAN_BUDGET: Budget = { work: 100e6, memory: 16 * 1024 * 1024 };

/** Prices in nanoseconds: of a read, and of each byte that is copied and looked at. */
const READ = 850;
const BYTE = 1 / 2;
/** Work between two turns of the event loop, nanoseconds. */
const SLICE = 2e6;

/**
 * The bytes of an object for one task, which is refused when it costs more than its budget. Whatever loops over what a
 * file says takes its bytes from here; a loop that does much to few bytes pays for that by `spend`, and one that keeps
 * something for each of them by `keep`.
 */
export class MeteredSource implements ByteSource {
  readonly size: number;
  #work: number;
  #memory: number;
  /** What was left of `#work` when the event loop turned last. */
  #turned: number;

  constructor(
    private readonly source: ByteSource,
    budget: Budget,
  ) {
    this.size = source.size;
    this.#work = budget.work;
    this.#turned = budget.work;
    this.#memory = budget.memory;
  }

  /** `source` itself when a budget is set for it already, otherwise with `budget`. */
  static over(source: ByteSource, budget: Budget): MeteredSource {
    return source instanceof MeteredSource ? source : new MeteredSource(source, budget);
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    this.spend(READ + length * BYTE);
    return this.source.read(offset, length);
  }

  /** @throws EdgeError `media_too_large` when the task has cost more than it may */
  spend(nanoseconds: number): void {
    this.#work -= nanoseconds;
    if (this.#work < 0) throw tooMuch('it would take too long to find its way through it');
  }

  /** @throws EdgeError `media_too_large` when more is kept than may be */
  keep(bytes: number): void {
    this.#memory -= bytes;
    if (this.#memory < 0) throw tooMuch('it would take too much memory to find its way through it');
  }

  /** Whether other work has waited long enough. */
  get due(): boolean {
    return this.#turned - this.#work >= SLICE;
  }

  /** Lets the event loop turn when that is due; `yield*` it where a loop does much between two reads. */
  *breathe(): Generator<Promise<void>, void> {
    if (!this.due) return;
    yield new Promise<void>(resolve => setImmediate(resolve));
    this.#turned = this.#work;
  }
}

function tooMuch(why: string): EdgeError {
  return new EdgeError('media_too_large', `can't seek in this file: ${why}; make it anew with a simpler index`);
}
