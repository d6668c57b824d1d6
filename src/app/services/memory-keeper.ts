import type { SharedMemoryTier } from '../../cache/memory/shared-memory-tier.js';

/** Options of `MemoryKeeper`. */
export interface MemoryKeeperOptions {
  readonly tier: SharedMemoryTier;
  /**
   * Share of the tier that is kept free, 0 to 0.5; 0 when somebody else evicts, such as the writer of the disk tier.
   */
  readonly freeShare: number;
  /** Bytes per second whose checksums are verified; 0 is never. */
  readonly scrubRate: number;
  /** Told that the file has been cut off; no round touches it any more. */
  readonly lost?: () => void;
  /** Milliseconds between rounds; default `INTERVAL`. */
  readonly interval?: number;
}

/** Milliseconds. */
const INTERVAL = 100;
/** Most bytes that are verified at once, some milliseconds of work. */
const MAX_SCRUB = 32 * 1024 * 1024;

/**
 * Looks after the memory tier, in the supervisor: evicts ahead of need, verifies checksums in the background, ends the
 * fills of the dead. The tier works without it, only less well.
 */
export class MemoryKeeper {
  readonly #tier: SharedMemoryTier;
  readonly #timer: NodeJS.Timeout;
  readonly #freeShare: number;
  readonly #scrubRate: number;
  readonly #lost: (() => void) | undefined;
  #scrubbedAt = performance.now();
  #owed = 0;

  constructor(options: MemoryKeeperOptions) {
    this.#tier = options.tier;
    this.#freeShare = options.freeShare;
    this.#scrubRate = options.scrubRate;
    this.#lost = options.lost;
    this.#timer = setInterval(() => this.round(), options.interval ?? INTERVAL).unref();
  }

  /** What is done at each interval. Nothing while another supervisor has the tier. */
  round(): void {
    const now = performance.now();
    const seconds = (now - this.#scrubbedAt) / 1000;
    this.#scrubbedAt = now;
    if (!this.#tier.isWhole) {
      this.close();
      this.#lost?.();
      return;
    }
    if (!this.#tier.isHolder) return;
    this.#tier.reap();
    if (this.#freeShare > 0) this.#tier.evictAhead(this.#freeShare);
    // A block is verified whole: what was too much in one round is left out in the next.
    this.#owed = Math.min(this.#owed + this.#scrubRate * seconds, MAX_SCRUB);
    if (this.#owed >= 1) this.#owed -= this.#tier.scrub(this.#owed);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
