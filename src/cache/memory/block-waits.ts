import type { ObjectId } from '../../base/block.js';
import type { BlockWaiter } from './memory-tier.js';

/** Number of classes of blocks; the addon tells of changes by class. */
export const BLOCK_CLASSES = 4096;

/**
 * Milliseconds between looks at what is waited for, in case that a process died before it told of a change, or stalls.
 */
const CHECK_INTERVAL = 250;

/** Class of a block, as the addon computes it. */
export function blockClass(id: ObjectId, block: number): number {
  return ((id[0]! + block) >>> 0) % BLOCK_CLASSES;
}

interface Wait {
  readonly id: ObjectId;
  readonly block: number;
  readonly seen: number;
  readonly waiter: BlockWaiter;
  over: boolean;
}

/** What `BlockWaits` asks the tier. */
export interface Watched {
  /** True when it is worth waiting for more than `seen` bytes of the block; then a change will be told by `changed`. */
  watch(id: ObjectId, block: number, seen: number): boolean;
  /** Ends the fills of processes that died. */
  reap(): void;
}

/** Those in this process who wait for blocks that are being filled. */
export class BlockWaits {
  readonly #watched: Watched;
  readonly #classes = new Map<number, Wait[]>();
  /** Waits whose block had changed already when they began. */
  #due: Wait[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** See `MemoryTier.waitFor`. */
  add(id: ObjectId, block: number, seen: number, waiter: BlockWaiter): void {
    const wait: Wait = { id, block, seen, waiter, over: false };
    if (!this.#watched.watch(id, block, seen)) {
      if (this.#due.push(wait) === 1) setImmediate(() => this.#wakeDue());
      return;
    }
    const key = blockClass(id, block);
    const waits = this.#classes.get(key);
    if (waits === undefined) this.#classes.set(key, [wait]);
    else waits.push(wait);
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL);
  }

  /** See `MemoryTier.cancelWait`. */
  cancel(id: ObjectId, block: number, waiter: BlockWaiter): void {
    const key = blockClass(id, block);
    const isMeant = (wait: Wait) => wait.waiter === waiter && wait.block === block && isSame(wait.id, id);
    for (const wait of this.#due) if (isMeant(wait)) wait.over = true;
    const waits = this.#classes.get(key);
    if (waits === undefined) return;
    for (const wait of waits) if (isMeant(wait)) wait.over = true;
    this.#keep(
      key,
      waits.filter(wait => !wait.over),
    );
  }

  /** A block of the class has changed: wakes those for whom that matters. */
  changed(key: number): void {
    const waits = this.#classes.get(key);
    if (waits === undefined) return;
    const woken = waits.filter(wait => !this.#watched.watch(wait.id, wait.block, wait.seen));
    if (woken.length === 0) return;
    this.#keep(
      key,
      waits.filter(wait => !woken.includes(wait)),
    );
    for (const wait of woken) wake(wait);
  }

  /** Any block may have changed. */
  anyChanged(): void {
    for (const key of [...this.#classes.keys()]) this.changed(key);
  }

  /** Forgets all. */
  close(): void {
    for (const waits of this.#classes.values()) for (const wait of waits) wait.over = true;
    for (const wait of this.#due) wait.over = true;
    this.#classes.clear();
    this.#stopTimer();
  }

  #keep(key: number, waits: Wait[]): void {
    if (waits.length > 0) this.#classes.set(key, waits);
    else this.#classes.delete(key);
    if (this.#classes.size === 0) this.#stopTimer();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #wakeDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const wait of due) wake(wait);
  }

  #check(): void {
    this.#watched.reap();
    this.anyChanged();
  }
}

function wake(wait: Wait): void {
  if (wait.over) return;
  wait.over = true;
  wait.waiter.blockChanged();
}

function isSame(a: ObjectId, b: ObjectId): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}
