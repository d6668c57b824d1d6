/** Somebody who means to read on: what decides how far fills go. */
export interface Demand {
  /**
   * How far from `block` on the bytes are wanted: the block just past the last wanted one, or 0 when `block` itself is not wanted.
   */
  wantedUpTo(block: number): number;
}

/** Waits for the byte at `wanted` to come through a feed. */
export interface Follower {
  /** Absolute offset in the object. */
  readonly wanted: number;
  /** The byte is there, or the feed has ended without it: look again. */
  woken(): void;
  /** The feed failed: the byte will not come. */
  failed(error: unknown): void;
}

/** Something under way in this process that brings a block: an origin fetch or a load from disk. */
export interface Feed {
  readonly kind: 'origin' | 'disk';
  join(follower: Follower): void;
  /** Forgets a follower; does nothing when it has been woken. */
  leave(follower: Follower): void;
}

/** The followers of one feed. */
export class Followers {
  readonly #waiting = new Set<Follower>();

  /** True when somebody waits for the byte at `position` or a later one. */
  waitPast(position: number): boolean {
    for (const follower of this.#waiting) if (follower.wanted >= position) return true;
    return false;
  }

  add(follower: Follower): void {
    this.#waiting.add(follower);
  }

  delete(follower: Follower): void {
    this.#waiting.delete(follower);
  }

  /** Wakes those who want a byte before `position`. They may join, leave and close anything meanwhile. */
  wakeBefore(position: number): void {
    if (this.#waiting.size === 0) return;
    const ready: Follower[] = [];
    for (const follower of this.#waiting) if (follower.wanted < position) ready.push(follower);
    // One that leaves while others are being woken must hear nothing more.
    for (const follower of ready) if (this.#waiting.delete(follower)) follower.woken();
  }

  wakeAll(): void {
    this.wakeBefore(Number.POSITIVE_INFINITY);
  }

  failAll(error: unknown): void {
    const all = [...this.#waiting];
    for (const follower of all) if (this.#waiting.delete(follower)) follower.failed(error);
  }
}
