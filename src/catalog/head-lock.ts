import type { MemoryTier } from '../cache/memory/memory-tier.js';
import { lockId } from './object-identity.js';

/** Gives the right back; those who wait look whether what they want has come. */
export type Release = () => void;

/**
 * The right to ask the origin about a key, for one process of the machine at a time: the fill of a block that nobody
 * will ever complete. A process that dies holding it loses it, as with any fill.
 */
export class HeadLocks {
  readonly #tier: MemoryTier;

  constructor(tier: MemoryTier) {
    this.#tier = tier;
  }

  /**
   * Waits for the right.
   * @param settled looked at before and after each wait: true when the right is not needed any more
   * @returns how to give it back; undefined when it was settled, or when the right can't be had in time (no room, or
   *   its holder is stuck)
   */
  take(key: string, settled: () => boolean): Promise<Release | undefined> {
    const id = lockId(key);
    return new Promise(resolve => {
      const look = () => {
        const claim = settled() ? undefined : this.#tier.claim(id, 0, 1);
        if (claim === 'following') this.#tier.waitFor(id, 0, 0, { blockChanged: look });
        else resolve(typeof claim === 'object' ? () => claim.abandon(true) : undefined);
      };
      look();
    });
  }

  /** Takes the right if nobody has it; 'taken' when somebody does. */
  tryTake(key: string): Release | 'taken' {
    const claim = this.#tier.claim(lockId(key), 0, 1);
    if (claim === 'following' || claim === 'present') return 'taken';
    return typeof claim === 'object' ? () => claim.abandon(true) : () => {};
  }
}
