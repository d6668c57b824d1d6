import { u32 } from './box.js';
import type { BoxWriter } from './box-writer.js';
import { broken } from './broken.js';

/**
 * `mvhd`, `tkhd`, `mdhd` (ISO/IEC 14496-12 sections 8.2.2, 8.3.2, 8.4.2): times, then a number or two, then the
 * duration, then the rest.
 */
export type HeaderType = 'mvhd' | 'tkhd' | 'mdhd';

/** A header box, whose duration (and timescale) differ in a cut. */
export interface HeaderBox {
  readonly type: HeaderType;
  /** Contents of the box, from the version on. */
  readonly body: Uint8Array;
}

/** Longest contents of a header box that are accepted; the standard's are at most 112. */
export const HEADER_BODY_MAX = 256;

const PREVIEW_OFFSET = 52;
const PREVIEW_SIZE = 24;
const LEAST_REST = { mvhd: 80, tkhd: 60, mdhd: 4 };

/** @throws EdgeError `unplayable` when the box is too short or of an unknown version */
export function parseHeader(type: HeaderType, body: Uint8Array): HeaderBox {
  const version = body[0];
  if (version !== 0 && version !== 1) throw broken(`box "${type}" has the unknown version ${version}`);
  const least = restOffset(type, version === 1) + LEAST_REST[type];
  if (body.length < least) throw broken(`box "${type}" has ${body.length} bytes where ${least} are needed`);
  return { type, body };
}

/** Units per second of `mvhd` and `mdhd`; track id of `tkhd`. */
export function headerNumber(header: HeaderBox): number {
  return u32(header.body, numberOffset(header.body[0] === 1));
}

/** Whether a `tkhd` says that the track is enabled. */
export function isEnabled(header: HeaderBox): boolean {
  return (header.body[3]! & 1) === 1;
}

/**
 * Writes the box with another duration, as version 1 when that does not fit into version 0.
 * @param timescale replaces that of `mvhd`
 */
export function writeHeader(writer: BoxWriter, header: HeaderBox, duration: number, timescale?: number): void {
  const { type, body } = header;
  const fromWide = body[0] === 1;
  const wide = fromWide || duration > 0xffff_ffff;
  const box = writer.open(type);
  writer.u32((wide ? 0x100_0000 : 0) + (u32(body, 0) % 0x100_0000));
  for (const at of [4, fromWide ? 12 : 8]) {
    if (wide) writer.u32(fromWide ? u32(body, at) : 0);
    writer.u32(u32(body, fromWide ? at + 4 : at));
  }
  const number = numberOffset(fromWide);
  writer.u32(timescale ?? u32(body, number));
  if (type === 'tkhd') writer.u32(u32(body, number + 4));
  if (wide) writer.u64(duration);
  else writer.u32(duration);
  const rest = restOffset(type, fromWide);
  if (type === 'mvhd') {
    // QuickTime keeps preview, poster and selection there, in times of the source.
    writer.bytes(body.subarray(rest, rest + PREVIEW_OFFSET));
    writer.zeros(PREVIEW_SIZE);
    writer.bytes(body.subarray(rest + PREVIEW_OFFSET + PREVIEW_SIZE));
  } else {
    writer.bytes(body.subarray(rest));
  }
  writer.close(box);
}

function numberOffset(wide: boolean): number {
  return wide ? 20 : 12;
}

function restOffset(type: HeaderType, wide: boolean): number {
  return numberOffset(wide) + (type === 'tkhd' ? 8 : 4) + (wide ? 8 : 4);
}
