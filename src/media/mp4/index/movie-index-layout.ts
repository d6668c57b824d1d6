import type { HeaderType } from '../box/header-box.js';

/*
 * The seek index of a progressive MP4 as bytes; fields as `IndexWriter` writes them, numbers as f64 unless another size
 * is given.
 *
 *   file size | timescale | front | movie box | movieFirst u8 | movable u8 | ftyp: u8 0, or u8 1 and a kept box |
 *   pieces | tracks: u32, each
 *     id | handler 4 bytes | enabled u8 | timescale | samples | chunks | ticks | least, greatest offset (f64, signed) |
 *     media end | preroll | packet samples, bytes | ordered u8 | extent from, to | edits: u32, each duration, media +
 *     1, dwell u8 | last chunk, when there are samples: number, entry, entry's first and end, first sample, samples,
 *     description | pieces | containers: u32 box heads | tables: u32, each
 *       type 4 bytes | box head | prelude | count | offset | length | samples | u8 0, or u8 1 and the entries |
 *       columns u8, each a rising row
 *   box head: offset | header size | size
 *   kept box: u8 0 and bytes, or u8 1, offset, length
 *   piece: u8 kind, then what the kind has
 */

/** Kinds of pieces by their byte. */
export const KINDS = [
  'bytes',
  'span',
  'open',
  'close',
  'header',
  'edits',
  'cslg',
  'table',
  'track',
  'chapters',
] as const;
/** Types of boxes that an `open` piece begins, by their byte. */
export const OPEN = ['mdia', 'minf', 'stbl', 'udta'];
/** Types of header boxes by their byte. */
export const HEADERS: readonly HeaderType[] = ['mvhd', 'tkhd', 'mdhd'];
