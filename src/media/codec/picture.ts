import { fourcc, u32 } from '../mp4/box/box.js';
import { av1Transfer } from './av1-sequence.js';
import { h264Usability } from './h264-sequence.js';
import { hevcUsability } from './hevc-sequence.js';
import type { SampleEntry } from './sample-entry.js';
import { UNSPECIFIED, type Usability } from './video-usability.js';

/** How pictures are to be shown. */
export interface Picture {
  /** Square pixels that it covers: the coded width, or height, made larger by the shape of its pixels. */
  readonly width: number;
  readonly height: number;
  /** TransferCharacteristics (ISO/IEC 23091-2 section 8.2); 2 is unspecified. */
  readonly transfer: number;
}

/** No pixel is longer or wider than this many times. */
const ASPECT_MAX = 16;

/** What the boxes of an entry say, and what the codec's configuration does where they don't. */
export function pictureOf({ width, height, boxes }: SampleEntry): Picture {
  const told = colour(boxes.get('colr'));
  const shape = aspect(boxes.get('pasp'));
  const coded: Partial<Usability> | undefined =
    told !== undefined && told !== UNSPECIFIED && shape !== undefined ? undefined : codedUsability(boxes);
  const isTold = told !== undefined && told !== UNSPECIFIED;
  return {
    ...shown(width, height, shape ?? coded?.aspect ?? [1, 1]),
    transfer: isTold ? told : (coded?.transfer ?? UNSPECIFIED),
  };
}

function codedUsability(boxes: SampleEntry['boxes']): Partial<Usability> | undefined {
  const [avcC, hvcC, av1C, vpcC] = ['avcC', 'hvcC', 'av1C', 'vpcC'].map(type => boxes.get(type));
  if (avcC !== undefined) return h264Usability(avcC);
  if (hvcC !== undefined) return hevcUsability(hvcC);
  if (av1C !== undefined) return { transfer: av1Transfer(av1C) };
  // VPCodecConfigurationRecord, behind version and flags.
  return vpcC === undefined || vpcC.length < 10 ? undefined : { transfer: vpcC[8]! };
}

/** Transfer of `colr` (ISO/IEC 14496-12 section 12.1.5), or of QuickTime's. */
function colour(colr: Uint8Array | undefined): number | undefined {
  if (colr === undefined || colr.length < 10) return undefined;
  const type = fourcc(colr, 0);
  return type === 'nclx' || type === 'nclc' ? colr[6]! * 256 + colr[7]! : undefined;
}

/** Width and height of a pixel in `pasp` (section 12.1.4). */
function aspect(pasp: Uint8Array | undefined): Usability['aspect'] | undefined {
  return pasp === undefined || pasp.length < 8 ? undefined : [u32(pasp, 0), u32(pasp, 4)];
}

function shown(width: number, height: number, [across, down]: Usability['aspect']): { width: number; height: number } {
  const shape = across / down;
  if (!(shape >= 1 / ASPECT_MAX && shape <= ASPECT_MAX)) return { width, height };
  return shape >= 1 ? { width: Math.round(width * shape), height } : { width, height: Math.round(height / shape) };
}
