/** Pixels of a picture as it is coded, without what its sequence has cut off. */
export interface CodedSize {
  readonly width: number;
  readonly height: number;
}

/** Horizontal and vertical samples of luma to one of chroma, by chroma_format_idc (ISO/IEC 14496-10 section 6.2). */
const SUBSAMPLING: readonly (readonly [across: number, down: number])[] = [
  [1, 1],
  [2, 2],
  [2, 1],
  [1, 1],
];

/** Samples of luma to one of chroma; [1, 1] for what is none of the formats. */
export function subsampling(format: number): readonly [across: number, down: number] {
  return SUBSAMPLING[format] ?? [1, 1];
}

/**
 * The size that is left of a sequence's.
 * @param cut units of chroma that are cut off: left, right, top, bottom
 * @returns undefined when nothing is left, or no picture is so large
 */
export function sizeLeft(
  width: number,
  height: number,
  [left, right, top, bottom]: readonly [number, number, number, number],
  [across, down]: readonly [number, number],
): CodedSize | undefined {
  const size = { width: width - (left + right) * across, height: height - (top + bottom) * down };
  const isPicture = (pixels: number) => pixels > 0 && pixels <= 0xffff;
  return isPicture(size.width) && isPicture(size.height) ? size : undefined;
}
