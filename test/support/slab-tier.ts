import { BLOCK_SIZE, type ObjectId } from '../../src/base/block.js';
import { native } from '../../src/base/native.js';
import { type Pieces, placeOf } from '../../src/base/pieces.js';
import {
  ABSENT,
  type BlockFill,
  type BlockWaiter,
  type Claim,
  GENERATIONS,
  type MemoryTier,
} from '../../src/cache/memory/memory-tier.js';

interface Slot {
  readonly key: string;
  readonly index: number;
  readonly length: number;
  watermark: number;
  /** The fill under way; undefined when the block is whole or its fill was given up. */
  fill: SlabFill | undefined;
  /** `performance.now()` when the watermark last moved. */
  progress: number;
  views: number;
  onDisk: boolean;
}

interface Wait {
  readonly seen: number;
  readonly waiter: BlockWaiter;
}

/** Options of `SlabTier`. */
export interface SlabTierOptions {
  /** Number of blocks. */
  readonly blocks: number;
  /** Share of the blocks that fills may use, 0 to 1; at least one block. Default 0.25. */
  readonly fillShare?: number;
  /** Milliseconds without progress after which a fill is no longer followed. Default 15000. */
  readonly followTimeout?: number;
}

class SlabFill implements BlockFill {
  constructor(
    private readonly tier: SlabTier,
    private readonly slot: Slot,
  ) {}

  get watermark(): number {
    return this.slot.watermark;
  }

  get length(): number {
    return this.slot.length;
  }

  append(chunk: Uint8Array): void {
    this.tier.append(this.slot, this, chunk);
  }

  abandon(discard = false): void {
    this.tier.abandon(this.slot, this, discard);
  }
}

/**
 * A memory tier in one process: one slab, one map in order of use. A test double for code above the tier, and the
 * baseline that the bench compares the shared tier with.
 */
export class SlabTier implements MemoryTier {
  gatheredOf = 0;
  readonly stats = { hits: 0, misses: 0, evictions: 0, filling: 0 };
  private readonly slab: Uint8Array;
  private readonly slots = new Map<string, Slot>();
  private readonly free: number[] = [];
  private readonly waits = new Map<string, Wait[]>();
  private readonly generations = new Uint32Array(GENERATIONS);
  private readonly fillLimit: number;
  private readonly followTimeout: number;
  private pinned: Slot | undefined;
  private stallTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: SlabTierOptions) {
    this.slab = new Uint8Array(options.blocks * BLOCK_SIZE);
    for (let index = options.blocks - 1; index >= 0; index--) this.free.push(index);
    this.fillLimit = Math.max(1, Math.floor(options.blocks * (options.fillShare ?? 0.25)));
    this.followTimeout = options.followTimeout ?? 15_000;
  }

  acquire(id: ObjectId, block: number, counted = true): number {
    if (this.pinned !== undefined) throw new Error('a block is pinned already: release it first');
    const key = keyOf(id, block);
    const slot = this.slots.get(key);
    if (slot === undefined) {
      if (counted) this.stats.misses++;
      return ABSENT;
    }
    this.slots.delete(key);
    this.slots.set(key, slot);
    if (counted) {
      slot.views++;
      if (slot.watermark > 0) this.stats.hits++;
      else this.stats.misses++;
    }
    this.pinned = slot;
    return slot.watermark;
  }

  view(from: number, to: number): Uint8Array {
    const slot = this.pinned;
    if (slot === undefined) throw new Error('no block is pinned');
    if (from < 0 || to < from || to > slot.watermark) throw new RangeError('the view leaves the readable bytes');
    return this.slab.subarray(slot.index * BLOCK_SIZE + from, slot.index * BLOCK_SIZE + to);
  }

  release(): void {
    this.pinned = undefined;
  }

  gather(id: ObjectId, reached: number, pieces: Pieces, at: number, target: Uint8Array): number {
    const { offsets, begins } = pieces;
    let [block, put] = [reached, 0];
    while (put < target.length) {
      const next = Math.floor(placeOf(pieces, at + put) / BLOCK_SIZE);
      const readable = this.acquire(id, next, next !== block);
      if (readable === ABSENT) break;
      const run = this.view(0, readable);
      const count = native.gatherPieces(offsets, begins, at + put, run, next * BLOCK_SIZE, target.subarray(put));
      this.release();
      if (count === 0) break;
      [block, put, this.gatheredOf] = [next, put + count, readable];
    }
    return put;
  }

  /** What `isWorthRoom` answers for whole blocks. */
  worthRoom = true;

  isWorthRoom(_id: ObjectId, _block: number, whole: boolean): boolean {
    return this.worthRoom || !whole;
  }

  /** Blocks whose readers read no further. */
  readonly left: number[] = [];
  readonly finished: number[] = [];

  finish(_id: ObjectId, block: number): void {
    this.finished.push(block);
  }

  leave(_id: ObjectId, block: number): void {
    this.left.push(block);
  }

  has(id: ObjectId, block: number): boolean {
    const slot = this.slots.get(keyOf(id, block));
    return slot !== undefined && slot.watermark === slot.length;
  }

  claim(id: ObjectId, block: number, length: number, onDisk = false): Claim {
    if (!(Number.isInteger(length) && length > 0 && length <= BLOCK_SIZE)) throw new RangeError('bad block length');
    const key = keyOf(id, block);
    let slot = this.slots.get(key);
    if (slot !== undefined) {
      if (slot.watermark === slot.length && slot.length === length) return 'present';
      if (slot.fill !== undefined) {
        return slot.length !== length || performance.now() - slot.progress >= this.followTimeout ? 'full' : 'following';
      }
      if (slot.length !== length) {
        if (slot === this.pinned) return 'full';
        this.drop(slot);
        slot = undefined;
      }
    }
    if (this.stats.filling >= this.fillLimit) return 'full';
    if (slot === undefined) {
      if (this.free.length === 0) this.evict();
      const index = this.free.pop();
      if (index === undefined) return 'full';
      slot = { key, index, length, watermark: 0, fill: undefined, progress: 0, views: 0, onDisk };
      this.slots.set(key, slot);
    }
    const fill = new SlabFill(this, slot);
    slot.fill = fill;
    slot.progress = performance.now();
    this.stats.filling++;
    return fill;
  }

  waitFor(id: ObjectId, block: number, seen: number, waiter: BlockWaiter): void {
    const key = keyOf(id, block);
    const list = this.waits.get(key);
    if (list === undefined) this.waits.set(key, [{ seen, waiter }]);
    else list.push({ seen, waiter });
    if (!this.worthWaiting(key, seen)) setImmediate(() => this.wake(key));
    this.stallTimer ??= setInterval(() => this.wakeStalled(), Math.max(1, this.followTimeout / 4));
  }

  cancelWait(id: ObjectId, block: number, waiter: BlockWaiter): void {
    const key = keyOf(id, block);
    const left = (this.waits.get(key) ?? []).filter(wait => wait.waiter !== waiter);
    if (left.length > 0) this.waits.set(key, left);
    else this.waits.delete(key);
  }

  generation(index: number): number {
    return this.generations[index % GENERATIONS]!;
  }

  bumpGeneration(index: number): void {
    this.generations[index % GENERATIONS]!++;
  }

  close(): void {
    this.closed = true;
    clearInterval(this.stallTimer);
    this.waits.clear();
  }

  /** Drops every block that is not pinned or being filled, as pressure from elsewhere would. */
  clear(): void {
    for (const slot of [...this.slots.values()]) if (slot.fill === undefined && slot !== this.pinned) this.drop(slot);
  }

  append(slot: Slot, fill: SlabFill, chunk: Uint8Array): void {
    if (slot.fill !== fill) throw new Error('the fill has ended');
    if (chunk.length > slot.length - slot.watermark) throw new RangeError('the chunk does not fit into the block');
    this.slab.set(chunk, slot.index * BLOCK_SIZE + slot.watermark);
    slot.watermark += chunk.length;
    slot.progress = performance.now();
    if (slot.watermark === slot.length) this.endFill(slot);
    this.wake(slot.key);
  }

  abandon(slot: Slot, fill: SlabFill, discard: boolean): void {
    if (slot.fill !== fill) return;
    this.endFill(slot);
    if (discard || slot.watermark === 0) this.drop(slot);
    this.wake(slot.key);
  }

  private endFill(slot: Slot): void {
    slot.fill = undefined;
    this.stats.filling--;
    this.slots.delete(slot.key);
    this.slots.set(slot.key, slot);
  }

  private drop(slot: Slot): void {
    this.slots.delete(slot.key);
    this.free.push(slot.index);
  }

  private evict(): void {
    for (const slot of this.slots.values()) {
      if (slot.fill !== undefined || slot === this.pinned) continue;
      this.drop(slot);
      this.stats.evictions++;
      return;
    }
  }

  private worthWaiting(key: string, seen: number): boolean {
    const slot = this.slots.get(key);
    return slot?.fill !== undefined && slot.watermark <= seen && performance.now() - slot.progress < this.followTimeout;
  }

  private wake(key: string): void {
    const list = this.waits.get(key);
    if (list === undefined || this.closed) return;
    const ready = list.filter(wait => !this.worthWaiting(key, wait.seen));
    if (ready.length === 0) return;
    const left = list.filter(wait => !ready.includes(wait));
    if (left.length > 0) this.waits.set(key, left);
    else this.waits.delete(key);
    for (const { waiter } of ready) waiter.blockChanged();
  }

  private wakeStalled(): void {
    for (const key of [...this.waits.keys()]) this.wake(key);
    if (this.waits.size > 0) return;
    clearInterval(this.stallTimer);
    this.stallTimer = undefined;
  }
}

function keyOf(id: ObjectId, block: number): string {
  return `${id[0]},${id[1]},${id[2]},${id[3]},${block}`;
}
