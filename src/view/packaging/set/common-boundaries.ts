/** Seconds by which times of one frame differ in files that count time in other units. */
const LATITUDE = 0.005;

/**
 * Seconds at which all files of a set could be cut: where key frames of all coincide, the earliest of each. The first
 * is the beginning.
 * @param points of each file, rising
 */
export function commonPoints(points: readonly Float64Array[]): number[] {
  const at = points.map(() => 0);
  const common: number[] = [];
  const [first, ...others] = points;
  for (const second of first ?? []) {
    let earliest = second;
    const isCommon = others.every((other, i) => {
      while (at[i]! < other.length && other[at[i]!]! < second - LATITUDE) at[i]!++;
      const found = other[at[i]!];
      if (found === undefined || found > second + LATITUDE) return false;
      earliest = Math.min(earliest, found);
      return true;
    });
    if (isCommon) common.push(earliest);
  }
  return common;
}

/** Most seconds by which the pictures of one file of a set may begin before those of another. */
const LEAD_MAX = 0.25;

/**
 * Seconds that each file of a set is to wait, so that the pictures of all begin together: some writers say in an edit
 * list what sound begins with and is not heard, and by how much pictures are shown later than decoded, and some do not.
 * @param points of each file, rising
 */
export function leadsOf(points: readonly Float64Array[]): number[] {
  const latest = Math.max(...points.map(([first = 0]) => first));
  return points.map(([first = latest]) => (latest - first <= LEAD_MAX ? latest - first : 0));
}

/** Where a set is cut. */
export interface CommonCut {
  /** Second at which a clip of all files begins; 0 for all of them. */
  readonly start: number;
  /** Seconds from there at which segments begin, rising. */
  readonly boundaries: Float64Array;
}

/**
 * The first common point at or after each multiple of a segment's length, as a film on its own is cut.
 * @param start second before which nothing is wanted
 * @param target seconds
 */
export function commonCut(common: readonly number[], start: number, target: number): CommonCut {
  const begin = common.findLast(point => point <= start + LATITUDE) ?? 0;
  const boundaries: number[] = [];
  let next = target;
  for (const point of common) {
    const second = point - begin;
    if (second < next - LATITUDE) continue;
    boundaries.push(second);
    next = (Math.floor((second + LATITUDE) / target) + 1) * target;
  }
  return { start: begin, boundaries: Float64Array.from(boundaries) };
}

/**
 * Whether a set is better cut at its common points than each file by its own: they are no rarer than the key frames of
 * the file that has the fewest, or come in every second segment at least.
 */
export function areDense(common: readonly number[], points: readonly Float64Array[], target: number): boolean {
  const fewest = Math.min(...points.map(({ length }) => length));
  const end = Math.max(...points.map(each => each.at(-1) ?? 0));
  return common.length >= Math.min(fewest, end / (2 * target));
}
