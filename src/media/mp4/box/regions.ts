/** Bytes `[from, to)` of the object. */
export interface Region {
  readonly from: number;
  readonly to: number;
}

/**
 * The regions in order, without overlap: those that touch or overlap are joined. An empty one is kept as the place of
 * offsets that lead there.
 */
export function joinRegions(regions: readonly Region[]): Region[] {
  const sorted = regions.filter(region => region.to >= region.from).sort((a, b) => a.from - b.from);
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of sorted) {
    const last = joined[joined.length - 1];
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

/** Joined regions without the bytes of `hole`. */
export function withoutRegion(regions: readonly Region[], hole: Region): Region[] {
  return regions.flatMap(region => {
    if (region.to <= hole.from || region.from >= hole.to) return [region];
    const parts = [
      { from: region.from, to: hole.from },
      { from: hole.to, to: region.to },
    ];
    return parts.filter(part => part.to > part.from);
  });
}

/**
 * Where the bytes of the object have gone to in the answer. Placed once, when the layout is known; constant after that.
 */
export class OffsetMap {
  readonly #from: number[] = [];
  readonly #deltas: number[] = [];

  /**
   * Says that the bytes from `from` on, up to the next place, stand at `to` in the answer. Called in rising order of
   * `from`.
   */
  place(from: number, to: number): void {
    this.#from.push(from);
    this.#deltas.push(to - from);
  }

  /** The difference, when it is the same for all bytes. */
  get constant(): number | undefined {
    return this.#deltas.length === 1 ? this.#deltas[0] : undefined;
  }

  /**
   * What must be added to `offset` of the object to make it an offset of the answer. Bytes before the first place count
   * with it.
   */
  delta(offset: number): number {
    let low = 0;
    let high = this.#from.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#from[middle]! <= offset) low = middle;
      else high = middle;
    }
    return this.#deltas[low] ?? 0;
  }
}
