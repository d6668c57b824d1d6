import type { BitReader } from './bit-reader.js';

/** What the video usability information of a sequence says of how it is to be shown; fields are 0 where it doesn't. */
export interface Usability {
  /** Width and height of a coded pixel (sample aspect ratio). */
  readonly aspect: readonly [width: number, height: number];
  /** TransferCharacteristics (ISO/IEC 23091-2 section 8.2); 2 is unspecified. */
  readonly transfer: number;
}

export const UNSPECIFIED = 2;
const NOTHING: Usability = { aspect: [0, 0], transfer: UNSPECIFIED };

/** By aspect_ratio_idc (ISO/IEC 23091-2 section 8.6). */
const ASPECTS: readonly (readonly [number, number])[] = [
  ...([
    [0, 0],
    [1, 1],
    [12, 11],
    [10, 11],
    [16, 11],
    [40, 33],
    [24, 11],
    [20, 11],
    [32, 11],
  ] as const),
  ...([
    [80, 33],
    [18, 11],
    [15, 11],
    [64, 33],
    [160, 99],
    [4, 3],
    [3, 2],
    [2, 1],
  ] as const),
];
const EXTENDED_ASPECT = 255;

/**
 * The beginning of vui_parameters(), which H.264 and HEVC share (ISO/IEC 14496-10 and 23008-2, Annex E.2.1 of both).
 */
export function readUsability(reader: BitReader): Usability {
  let aspect: Usability['aspect'] = NOTHING.aspect;
  if (reader.flag()) {
    const code = reader.bits(8);
    aspect = code === EXTENDED_ASPECT ? [reader.bits(16), reader.bits(16)] : (ASPECTS[code] ?? aspect);
  }
  if (reader.flag()) reader.skip(1);
  let transfer = UNSPECIFIED;
  if (reader.flag()) {
    reader.skip(4);
    if (reader.flag()) {
      reader.skip(8);
      transfer = reader.bits(8);
      reader.skip(8);
    }
  }
  return reader.ended ? NOTHING : { aspect, transfer };
}
