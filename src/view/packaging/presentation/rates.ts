/** Bits per second of a track. */
export interface Rates {
  /**
   * Most over any run of segments that lasts from half to one and a half target durations (RFC 8216 section 4.3.4.2).
   */
  readonly peak: number;
  readonly average: number;
}

/** Most segments of a run: very short ones are many, and a longer run of them tells no more. */
const RUN_MAX = 64;

/**
 * The rates of a track by its segments.
 * @param begins ticks, one more than there are segments
 * @param sizes bytes of each segment
 * @param target seconds of the playlist's target duration
 */
export function ratesOf(begins: Float64Array, sizes: Float64Array, timescale: number, target: number): Rates {
  const count = sizes.length;
  const [shortest, longest] = [target * 0.5 * timescale, target * 1.5 * timescale];
  let peak = 0;
  let total = 0;
  for (let first = 0; first < count; first++) {
    total += sizes[first]!;
    let bytes = 0;
    for (let last = first; last < Math.min(count, first + RUN_MAX); last++) {
      bytes += sizes[last]!;
      const ticks = begins[last + 1]! - begins[first]!;
      if (ticks > longest) break;
      if (ticks >= shortest && ticks > 0) peak = Math.max(peak, bytes / ticks);
    }
  }
  const ticks = begins[count]! - begins[0]!;
  const average = ticks > 0 ? total / ticks : 0;
  const bits = 8 * timescale;
  return { peak: Math.ceil(Math.max(peak, average) * bits), average: Math.ceil(average * bits) };
}
