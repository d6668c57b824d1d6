import type { ObjectId } from '../../base/block.js';

/** The disk tier as a worker sees it: read only. Writing is the supervisor's. */
export interface DiskTier {
  /** True when the tier probably holds the block; cheap, from the index alone, never touches the block's pages. */
  has(id: ObjectId, block: number): boolean;
  /**
   * The block's bytes, if it was read lately and lies in a buffer still; valid until the next call of `read` or `load`.
   */
  held(id: ObjectId, block: number, length: number): Uint8Array | undefined;
  /**
   * Reads a block that can be had without waiting for the disk, and verifies its checksum; valid as of `held`.
   * Undefined when it can't: `load` is the way on.
   */
  read(id: ObjectId, block: number, length: number): Uint8Array | undefined;
  /** Tells that whoever read a block needs its bytes no more, so that its buffer may be used for others. */
  done(id: ObjectId, block: number): void;
  /**
   * Reads a block off the event loop and verifies its checksum. `done` is called once, from the event loop and never
   * from within this call, with true when the block can be had from `held` or else `read` now; with false when it is
   * not there, unreadable, damaged (counted), or not `length` bytes long: a miss.
   */
  load(id: ObjectId, block: number, length: number, done: (found: boolean) => void): void;
  /**
   * Has the disk read a block that will be needed soon, off the event loop.
   * @returns false when it is busy: ask again
   */
  ahead(id: ObjectId, block: number, length: number): boolean;
  /** Closes the environment. Loads under way end with false. */
  close(): void;
}
