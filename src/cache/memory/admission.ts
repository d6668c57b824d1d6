/** Which blocks that leave memory are worth a place on disk. */
export interface Admission {
  /** Views that a block needs at least, those included that it had before it left memory the last time. */
  readonly minViews: number;
  /** Uses that it must expect within `seconds`; not asked for where that is 0. */
  readonly minUses: number;
  readonly seconds: number;
}

/** The admission of blocks with so many views. */
export function admitByViews(minViews: number): Admission {
  return { minViews, minUses: 0, seconds: 0 };
}

/** Admits none, for want of a disk tier or while it takes nothing: no block has as many views. */
export const ADMIT_NONE: Admission = admitByViews(0xffffffff);
