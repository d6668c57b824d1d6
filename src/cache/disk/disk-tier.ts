import type { ObjectId } from '../../base/block.js';

/** The disk tier as a worker sees it: read only. Writing is the supervisor's. */
export interface DiskTier {
  /** True when the tier probably holds the block; cheap, from the index alone, never touches the block's pages. */
  has(id: ObjectId, block: number): boolean;
  /**
   * Reads a block off the event loop and verifies its checksum. `done` is called once, from the event loop and never
   * from within this call, with the block's bytes (valid until it returns) or with undefined when it is not there,
   * unreadable, damaged (counted), or not `length` bytes long: a miss.
   */
  load(id: ObjectId, block: number, length: number, done: (bytes: Uint8Array | undefined) => void): void;
  /** Closes the environment. Loads under way end with undefined. */
  close(): void;
}
