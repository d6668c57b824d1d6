import type { Asker } from '../../base/asker.js';

/** Milliseconds between two looks of those who wait for room. */
const ROOM_INTERVAL = 200;

/** Somebody who means to read on: what decides how far fills go. */
export interface Demand {
  /**
   * How far from `block` on the bytes are wanted: the block just past the last wanted one, or 0 when `block` itself is
   * not wanted.
   */
  wantedUpTo(block: number): number;
}

/** Waits for the byte at `wanted` to come by what is in flight. */
export interface Waiter {
  /** Who waits. */
  readonly asker: Asker;
  /** Absolute offset in the object. */
  readonly wanted: number;
  /** The byte is there, or what was in flight has ended without it: look again. */
  woken(): void;
  /** What was in flight failed: the byte will not come. */
  failed(error: unknown): void;
}

/** Something under way in this process that brings a block: an origin fetch or a load from disk. */
export interface InFlight {
  readonly kind: 'origin' | 'disk';
  join(waiter: Waiter): void;
  /** Forgets a waiter; does nothing when it has been woken. */
  leave(waiter: Waiter): void;
}

/** Those who wait for one thing in flight. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** True when somebody waits for the byte at `position` or a later one. */
  waitPast(position: number): boolean {
    for (const waiter of this.#waiting) if (waiter.wanted >= position) return true;
    return false;
  }

  add(waiter: Waiter): void {
    this.#waiting.add(waiter);
  }

  delete(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  /** Wakes those who want a byte before `position`. They may join, leave and close anything meanwhile. */
  wakeBefore(position: number): void {
    if (this.#waiting.size === 0) return;
    const ready: Waiter[] = [];
    for (const waiter of this.#waiting) if (waiter.wanted < position) ready.push(waiter);
    // One that leaves while others are being woken must hear nothing more.
    for (const waiter of ready) if (this.#waiting.delete(waiter)) waiter.woken();
  }

  wakeAll(): void {
    this.wakeBefore(Number.POSITIVE_INFINITY);
  }

  failAll(error: unknown): void {
    const all = [...this.#waiting];
    for (const waiter of all) if (this.#waiting.delete(waiter)) waiter.failed(error);
  }
}

/**
 * Where readers wait that find neither room for a fill nor a free stream past the cache: they look again every now and
 * then.
 */
export class RoomQueue implements InFlight {
  readonly kind = 'origin';
  readonly #waiters = new Waiters();
  #timer: NodeJS.Timeout | undefined;

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.#timer ??= setTimeout(() => this.wakeAll(), ROOM_INTERVAL);
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  wakeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiters.wakeAll();
  }
}
