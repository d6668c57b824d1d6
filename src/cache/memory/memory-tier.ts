import type { ObjectId } from '../../base/block.js';
import type { Pieces } from '../../base/pieces.js';

/** `acquire` found no block. */
export const ABSENT = -1;

/**
 * Woken once when what it waits for has come about, from the event loop and never from within the call that registered
 * it.
 */
export interface BlockWaiter {
  /** The block has more readable bytes than were seen, or its fill has ended: look again with `acquire`. */
  blockChanged(): void;
}

/** What became of a claim to fill a block. */
export type Claim =
  /** The claimer fills the block. */
  | BlockFill
  /** Somebody on this machine is filling it: wait with `waitFor`. */
  | 'following'
  /** It is there, whole. */
  | 'present'
  /**
   * Blocks being filled have used up their share, every block is pinned, or the block's filler lives but has brought
   * nothing for longer than the tier's `followTimeout`: stream past the cache.
   */
  | 'full';

/** The right to fill one block, held until `append` has brought the last byte, or `abandon`. */
export interface BlockFill {
  /**
   * Bytes already there: 0, or more when the fill was taken over from a filler that died or gave up. Appending starts
   * here.
   */
  readonly watermark: number;
  /** Bytes of the whole block. */
  readonly length: number;
  /**
   * Copies `chunk` behind the watermark and wakes those who wait. When the block is whole it becomes an ordinary cached
   * block and the fill has ended.
   * @throws RangeError when the chunk does not fit, Error when the fill has ended
   */
  append(chunk: Uint8Array): void;
  /**
   * Reads what a socket has, at most `most` bytes, into the block itself, behind the watermark: what comes is to be
   * appended at once, which then copies nothing, or never, and nobody has seen it.
   * @param socket its descriptor
   * @returns empty when there is nothing, or the other side has closed; undefined when bytes can only be appended
   * @throws Error with `code` and `syscall`, as Node's own, when the connection has broken
   */
  receive?(socket: number, most: number): Uint8Array | undefined;
  /**
   * Gives the fill up; those who wait are woken. With `discard` false (the default) the bytes up to the watermark stay
   * for the next filler; with true they are thrown away, because they may be wrong. Does nothing when the fill has
   * ended.
   */
  abandon(discard?: boolean): void;
}

/**
 * The memory tier: blocks of objects, shared by every process of the machine that maps the same file.
 *
 * A pin lives for one synchronous section only: `acquire`, use `view`, `release`, or `layOut`, send, `letGo`, with no
 * await and no second `acquire` or `layOut` between.
 */
export interface MemoryTier {
  /**
   * Looks a block up and pins it.
   * @param counted true (the default) when somebody begins to read the block: counts a view, and a hit or miss. False
   * when the same reader goes on in a block, or only looks whether bytes are there.
   * @returns the number of readable bytes from the block's start (all of it, or up to the filler's watermark, perhaps
   * 0), or `ABSENT`. When not `ABSENT` the block is pinned until `release`.
   */
  acquire(id: ObjectId, block: number, counted?: boolean): number;
  /**
   * Bytes `[from, to)` of the pinned block, without copying; valid until `release`. `to` must not be past what
   * `acquire` returned.
   */
  view(from: number, to: number): Uint8Array;
  /** Ends the pin. */
  release(): void;
  /**
   * Puts pieces of an object together out of one block after the other, each pinned for just as long as that takes.
   * @param reached the block in which the reader is already, which is not counted again; -1 for none
   * @param at byte of the pieces to begin with
   * @returns how many bytes are in `target` now: fewer than it holds where the pieces end, or the next byte is in no
   *   block that is there. `gatheredOf` then tells how much of the last block was readable.
   */
  gather(id: ObjectId, reached: number, pieces: Pieces, at: number, target: Uint8Array): number;
  /**
   * Pins blocks that are there, one after the other, for one send of their bytes from byte `from` of `block` on: what
   * the socket is given stands for them (`Scatter.laidOut`). Where there is none, blocks are sent one by one.
   * @param most bytes
   * @param counted as for `acquire`, of the first of them
   * @returns how many bytes; 0 when there is none, and then nothing is pinned. `gatheredOf` then tells how much of the
   *   last block is readable. To be followed by `letGo`.
   */
  layOut?(id: ObjectId, block: number, from: number, most: number, counted: boolean): number;
  /** Ends their pins, and counts views of those behind the first that are among the first `taken` bytes. */
  letGo?(taken: number): void;
  /** Readable bytes, from its start, of the last block that `gather` took bytes from, or `layOut` has pinned. */
  readonly gatheredOf: number;
  /**
   * Notes that somebody begins to read a block that is on disk.
   * @param whole whether the reader means to have all of it
   * @returns whether it is worth room in memory, where others would have to go for it
   */
  isWorthRoom(id: ObjectId, block: number, whole: boolean): boolean;
  /** Notes that whoever read the block has all of it, and may ask for the next. */
  finish(id: ObjectId, block: number): void;
  /** Notes that whoever read the block reads no further: it has gone, or goes on elsewhere. */
  leave(id: ObjectId, block: number): void;
  /** True when the block is there and whole, without counting a view or touching its place in the order of eviction. */
  has(id: ObjectId, block: number): boolean;
  /**
   * Asks for the right to fill a block of `length` bytes (1 to BLOCK_SIZE). `onDisk` says that the disk tier holds it
   * already.
   */
  claim(id: ObjectId, block: number, length: number, onDisk?: boolean): Claim;
  /**
   * Wakes `waiter` once, when the block has more than `seen` readable bytes, nobody is filling it any more, or its
   * filler has brought nothing for longer than the tier's `followTimeout`; then `claim` answers 'full'. Also woken when
   * that is so already. A waiter may be registered for several blocks.
   */
  waitFor(id: ObjectId, block: number, seen: number, waiter: BlockWaiter): void;
  /** Forgets `waiter` for this block. */
  cancelWait(id: ObjectId, block: number, waiter: BlockWaiter): void;
  /**
   * Shared counters, for telling other processes that something changed: `generation(i)` reads, `bumpGeneration(i)`
   * adds one. `index` is taken modulo `GENERATIONS`. Kept in the file, so they go on counting after a restart.
   */
  generation(index: number): number;
  bumpGeneration(index: number): void;
  /** Unmaps the file (marks a clean stop when this is the last process). */
  close(): void;
}

/** Number of shared generation counters. */
export const GENERATIONS = 65536;
