import { BLOCK_SIZE, type ObjectId } from '../../base/block.js';
import type { Admission } from '../memory/admission.js';
import type { DiskWriter } from './disk-writer.js';

/** The memory tier as demotion sees it. */
export interface ColdBlocks {
  /**
   * Whole blocks that are about to be evicted, are worth a place on disk and not known to be there; at most `limit`.
   * `share` (0 to 0.5) says what part of the tier is about to be evicted.
   */
  coldest(share: number, admission: Admission, limit: number): { id: ObjectId; block: number; length: number }[];
  /** Copies a whole block into `target`; its length, or undefined when it is gone or damaged. */
  copyBlock(id: ObjectId, block: number, target: Uint8Array): number | undefined;
  /** Notes whether the disk tier holds a block. */
  markOnDisk(id: ObjectId, block: number, onDisk?: boolean): unknown;
  /**
   * Evicts the coldest blocks until `freeShare` of the tier is free. Blocks that are worth a place on disk and are not
   * there are spared.
   */
  evictAhead(freeShare: number, admission?: Admission): unknown;
}

/** What a demotion is made with. */
export interface DemotionOptions {
  memory: ColdBlocks;
  writer: DiskWriter;
  /** Tells at each look which blocks are worth a place on disk. */
  admission: () => Admission;
  /** Part of memory, 0 to 0.5, that is kept free. */
  freeShare: number;
  /**
   * Part of memory, 0 to 0.5, that is looked at for blocks to write. It is what memory may evict by itself between two
   * looks without a block getting lost; default `LOOK_SHARE`.
   */
  lookShare?: number;
  /** Milliseconds between looks while there is nothing to do; default `INTERVAL`. */
  interval?: number;
}

const LOOK_SHARE = 0.05;
/** Milliseconds. */
const INTERVAL = 20;

/**
 * Writes the blocks that memory is about to evict to disk, if they are worth it, and then evicts them, so
 * that no request waits for room or for a disk. It takes no more than the disk accepts: where that is less than memory
 * evicts, blocks are dropped and nothing piles up.
 */
export class Demotion {
  readonly #options: Required<DemotionOptions>;
  readonly #bytes = new Uint8Array(BLOCK_SIZE);
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(options: DemotionOptions) {
    this.#options = { lookShare: LOOK_SHARE, interval: INTERVAL, ...options };
  }

  /** Begins to look, until `stop`. */
  start(): void {
    this.stop();
    const pass = () => {
      const busy = this.pass() > 0;
      this.#timer = busy ? setImmediate(pass) : setTimeout(pass, this.#options.interval);
    };
    pass();
  }

  stop(): void {
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = undefined;
  }

  /**
   * Writes one batch of cold blocks and evicts.
   * @returns number of blocks that were worth a place on disk; 0 when there is nothing to do before the next look
   */
  pass(): number {
    const { memory, writer, freeShare, lookShare } = this.#options;
    const admission = this.#options.admission();
    const room = writer.room;
    const cold = room === 0 ? [] : memory.coldest(lookShare, admission, room);
    const { dropped } = writer.stats;
    const offered = cold.filter(({ id, block }) => this.#offer(id, block));
    if (writer.flush() && writer.stats.dropped === dropped) {
      for (const { id, block } of offered) memory.markOnDisk(id, block);
    }
    // While the disk takes nothing, blocks that would have gone there are evicted like the others.
    if (writer.room === 0) memory.evictAhead(freeShare);
    else memory.evictAhead(freeShare, admission);
    return cold.length;
  }

  #offer(id: ObjectId, block: number): boolean {
    const length = this.#options.memory.copyBlock(id, block, this.#bytes);
    return length !== undefined && this.#options.writer.offer(id, block, this.#bytes.subarray(0, length));
  }
}
