/** One of the films of different size that are made of a source. */
export interface Rendition {
  /** Short side of the picture in pixels; the name, too. */
  readonly quality: number;
  readonly width: number;
  readonly height: number;
  /** Most bits a second of the picture. */
  readonly bitRate: number;
}

/** Bits for each pixel of a second at 30 frames, at most: what 1080 lines at 5 Mb/s have. */
const BITS_PER_PIXEL = 5_000_000 / (1920 * 1080);
/** Smaller pictures need more for each pixel. */
const SMALL_EXPONENT = 0.75;

/**
 * The renditions of a source: those of `qualities` that are not larger than it, or its own size when all are.
 * @returns largest first; sides are even, as H.264 with 4:2:0 asks
 */
export function ladder(width: number, height: number, qualities: readonly number[]): Rendition[] {
  const short = Math.min(width, height);
  const fitting = [...new Set(qualities)].filter(quality => quality <= short).sort((a, b) => b - a);
  return (fitting.length > 0 ? fitting : [Math.floor(short / 2) * 2]).map(quality => {
    const scale = quality / short;
    const sized = (side: number) => (side === short ? even(quality) : even(side * scale));
    const pixels = quality * quality * (Math.max(width, height) / short);
    const bitRate = BITS_PER_PIXEL * 1920 * 1080 * (pixels / (1920 * 1080)) ** SMALL_EXPONENT;
    return { quality, width: sized(width), height: sized(height), bitRate: Math.round(bitRate / 1000) * 1000 };
  });
}

function even(side: number): number {
  return Math.max(2, Math.round(side / 2) * 2);
}
