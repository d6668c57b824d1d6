import type { ObjectId } from '../../base/block.js';

interface Held {
  id: ObjectId | undefined;
  block: number;
  length: number;
  /** When it was used last, by a clock that counts; 0: its reader needs it no more. */
  used: number;
  /** A thread is reading into it. */
  isLoading: boolean;
}

/** Which blocks lie in the buffers that blocks are read into: those that were read last. */
export class HeldBlocks {
  readonly #buffers: Held[];
  #clock = 0;

  /** @param count of buffers */
  constructor(count: number) {
    this.#buffers = Array.from({ length: count }, () => ({
      id: undefined,
      block: 0,
      length: 0,
      used: 0,
      isLoading: false,
    }));
  }

  /** The buffer in which a block lies whole; -1 for none. */
  find(id: ObjectId, block: number, length: number): number {
    const buffer = this.#buffers.findIndex(
      held => held.block === block && held.length === length && held.id !== undefined && isSame(held.id, id),
    );
    if (buffer >= 0) this.#buffers[buffer]!.used = ++this.#clock;
    return buffer;
  }

  /** A buffer to read into, whose block is forgotten; -1 when threads are reading into all. */
  take(): number {
    let taken = -1;
    let oldest = Number.POSITIVE_INFINITY;
    for (const [buffer, { used, isLoading }] of this.#buffers.entries()) {
      if (isLoading || used >= oldest) continue;
      oldest = used;
      taken = buffer;
    }
    if (taken >= 0) this.#buffers[taken]!.id = undefined;
    return taken;
  }

  /** A thread begins to read into a buffer, or has ended that. */
  reserve(buffer: number, isLoading: boolean): void {
    this.#buffers[buffer]!.isLoading = isLoading;
  }

  /** A block has been read into a buffer. */
  put(buffer: number, id: ObjectId, block: number, length: number): void {
    const held = this.#buffers[buffer]!;
    held.id = id;
    held.block = block;
    held.length = length;
    held.used = ++this.#clock;
  }

  /** The reader of a block needs it no more: its buffer, which lies near the processor, is the next to be used. */
  done(id: ObjectId, block: number): void {
    for (const held of this.#buffers) {
      if (held.block === block && held.id !== undefined && isSame(held.id, id)) held.used = 0;
    }
  }
}

function isSame(one: ObjectId, other: ObjectId): boolean {
  return one === other || (one[0] === other[0] && one[1] === other[1] && one[2] === other[2] && one[3] === other[3]);
}
