import { BLOCK_SIZE } from '../../base/block.js';
import { ADMIT_NONE, type Admission, admitByViews } from '../memory/admission.js';

/** Which blocks that leave memory go to disk. */
export interface AdmissionOptions {
  /** By how often they were viewed, or by how often they are expected to be used while they are on disk. */
  readonly admit: 'views' | 'demand';
  /** Views that a block needs; by demand it needs none. */
  readonly minHits: number;
  /** Bytes a day that may be written; undefined: any. */
  readonly writeBudget?: number | undefined;
}

/** The disk tier as its admission sees it. */
export interface AdmittingRing {
  /** Blocks that are there, and that were ever written by this process. */
  readonly blocks: number;
  readonly written: number;
  /** True when blocks leave to make room for others. */
  readonly isFull: boolean;
}

/** Figures of an admission. */
export interface AdmissionStats {
  /** Uses that a block must expect within `residency` to go to disk; 0 while there is room for all. */
  minUses: number;
  /** Seconds for which a block stays on disk at the pace at which blocks are written; 0 while none leaves. */
  residency: number;
  /** Bytes that may be written at once; undefined without a budget. */
  budgetBytes?: number;
}

/** Uses that are worth a write, while the budget is not short. */
export const MIN_USES = 0.7;
/** Seconds in which half of what was written is forgotten. */
const HALF_LIFE = 1800;
const MEAN_LIFE = HALF_LIFE / Math.LN2;
const DAY = 86_400;
/** Nothing is expected to stay longer, and nobody's demand is known for longer. */
const LONGEST = 7 * DAY;
/** Share of a day's budget that is there at the start: a writer that is started again must not have a whole one. */
const FIRST_SHARE = 1 / 4;
/** Share of a day's budget below which more is asked of blocks, the more the less there is. */
const SHORT_SHARE = 1 / 2;
/** Share above which blocks that leave the ring may be written again. */
const SPARE_SHARE = 1 / 8;

/** Decides which blocks are worth a write to the disk tier, so that what is written stays within the budget. */
export class DiskAdmission {
  readonly #options: AdmissionOptions;
  readonly #ring: AdmittingRing;
  readonly #now: () => number;
  readonly #startedAt: number;
  #lookedAt: number;
  #writtenBefore: number;
  /** Blocks written, of which half is forgotten in each half-life. */
  #lately = 0;
  #budget: number;

  /** @param now clock in seconds */
  constructor(options: AdmissionOptions, ring: AdmittingRing, now = () => performance.now() / 1000) {
    this.#options = options;
    this.#ring = ring;
    this.#now = now;
    this.#startedAt = now();
    this.#lookedAt = this.#startedAt;
    this.#writtenBefore = ring.written;
    this.#budget = (options.writeBudget ?? 0) * FIRST_SHARE;
  }

  /** What a block must be like to be written now. */
  get admission(): Admission {
    this.#account();
    const { admit, minHits } = this.#options;
    const shortage = this.#shortage();
    if (shortage === Number.POSITIVE_INFINITY) return ADMIT_NONE;
    if (admit === 'views') return admitByViews(Math.ceil(minHits * shortage));
    // A ring that is not full loses nothing by a block more.
    if (!this.#ring.isFull && shortage === 1) return admitByViews(0);
    return { minViews: 0, minUses: MIN_USES * shortage, seconds: this.#residency() };
  }

  /** What a block must be like to be written again when it is the next to leave; undefined: none is. */
  get renewal(): Admission | undefined {
    const { admit, writeBudget } = this.#options;
    if (admit === 'views') return undefined;
    const { admission } = this;
    const isSpare = writeBudget === undefined || this.#budget > writeBudget * SPARE_SHARE;
    return isSpare && admission.seconds > 0 ? admission : undefined;
  }

  get stats(): AdmissionStats {
    const { seconds, minUses } = this.admission;
    return {
      minUses,
      residency: seconds,
      ...(this.#options.writeBudget !== undefined && { budgetBytes: Math.floor(this.#budget) }),
    };
  }

  #account(): void {
    const now = this.#now();
    const { written } = this.#ring;
    const passed = Math.max(0, now - this.#lookedAt);
    const blocks = written - this.#writtenBefore;
    this.#lookedAt = now;
    this.#writtenBefore = written;
    this.#lately = this.#lately * Math.exp(-passed / MEAN_LIFE) + blocks;
    const { writeBudget } = this.#options;
    if (writeBudget === undefined) return;
    const earned = (writeBudget / DAY) * passed;
    this.#budget = Math.min(writeBudget, this.#budget + earned) - blocks * BLOCK_SIZE;
  }

  /** How many times more is asked of blocks, because the budget is short; infinity: none may be written. */
  #shortage(): number {
    const { writeBudget } = this.#options;
    if (writeBudget === undefined) return 1;
    if (this.#budget < BLOCK_SIZE) return Number.POSITIVE_INFINITY;
    return Math.max(1, (writeBudget * SHORT_SHARE) / this.#budget);
  }

  #residency(): number {
    const known = MEAN_LIFE * (1 - Math.exp(-(this.#now() - this.#startedAt) / MEAN_LIFE));
    const rate = this.#lately / Math.max(60, known);
    return Math.min(LONGEST, Math.max(1, this.#ring.blocks / Math.max(1e-9, rate)));
  }
}
