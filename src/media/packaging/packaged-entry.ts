import { EdgeError } from '../../base/errors.js';
import { parseSampleEntry, type SampleEntry } from '../codec/sample-entry.js';
import { type Box, boxBody, parseBoxes } from '../mp4/box/box.js';
import { BoxWriter } from '../mp4/box/box-writer.js';
import type { PackageTrack } from './media-package.js';

/** Types that say that parameter sets may stand among the samples, and those that say that they don't. */
const OUT_OF_BAND: Readonly<Record<string, string>> = { hev1: 'hvc1', dvhe: 'dvh1' };
/** Bytes of a picture's and of a sound's fields (ISO/IEC 14496-12 sections 12.1.3 and 12.2.3). */
const [PICTURE, SOUND] = [78, 28];
/** Boxes of QuickTime's sound that mean nothing elsewhere; the last ends a `wave`. */
const QUICKTIME = new Set(['chan', 'frma', 'mp4a', 'wave', '\0\0\0\0']);

/**
 * The sample entry of a track as its init segment has it: the source's, but QuickTime's sound descriptions as ISO's,
 * and the data in the file itself.
 * @param hvc1 whether HEVC is told to have its parameter sets here only, when all of them are here: Apple's players ask
 *   for that
 * @throws EdgeError `unplayable` when it is no sample entry
 */
export function packagedEntry({ entry, handler }: PackageTrack, hvc1: boolean): Uint8Array {
  const parsed = parseSampleEntry(entry, handler);
  const config = hvc1 && parsed.type in OUT_OF_BAND ? completed(parsed.boxes.get('hvcC')) : undefined;
  const writer = new BoxWriter(entry.length);
  const mark = writer.open(config === undefined ? parsed.type : OUT_OF_BAND[parsed.type]!);
  writer.zeros(6);
  // Data reference 1 is the file itself.
  writer.u16(1);
  if (parsed.from === 0) writer.bytes(entry.subarray(16));
  else {
    writeFields(writer, entry, parsed);
    for (const box of boxesOf(entry, parsed)) {
      const begin = writer.length;
      writer.bytes(box);
      if (config !== undefined && typeOf(box) === 'hvcC') writer.bytesAt(begin + box.length - config.length, config);
    }
  }
  writer.close(mark);
  return writer.take();
}

function writeFields(writer: BoxWriter, entry: Uint8Array, { kind, from, channels, sampleRate }: SampleEntry): void {
  const size = kind === 'picture' ? PICTURE : SOUND;
  // Those of a later version of QuickTime's sound have others in their places.
  const isPlain = kind === 'picture' || (entry[16] === 0 && entry[17] === 0);
  if (isPlain) {
    writer.bytes(entry.subarray(from - size + 8, from));
    return;
  }
  writer.zeros(8);
  writer.u16(channels);
  writer.u16(16);
  writer.zeros(4);
  // What does not fit is told by the configuration.
  writer.u16(sampleRate > 0xffff ? 0 : sampleRate);
  writer.u16(0);
}

/** The boxes inside, whole, QuickTime's `wave` opened. */
function boxesOf(entry: Uint8Array, { kind, from }: SampleEntry): Uint8Array[] {
  const whole = (bytes: Uint8Array) => (box: Box) => bytes.subarray(box.offset, box.end);
  try {
    const boxes = parseBoxes(entry, from, entry.length);
    if (kind !== 'sound') return boxes.map(whole(entry));
    const isForeign = ({ type }: Box) => QUICKTIME.has(type);
    const waves = boxes.filter(({ type }) => type === 'wave');
    const inner = waves.flatMap(wave => parseBoxes(entry, boxBody(wave), wave.end));
    return [...inner, ...boxes].filter(box => !isForeign(box)).map(whole(entry));
  } catch (error) {
    if (error instanceof EdgeError) return [entry.subarray(from)];
    throw error;
  }
}

function typeOf(box: Uint8Array): string {
  return String.fromCharCode(...box.subarray(4, 8));
}

/** Types of NAL units (ITU-T H.265 section 7.4.2.2): video, sequence and picture parameter sets. */
const PARAMETER_SETS = [32, 33, 34];

/**
 * HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.2.1) with its parameter sets said to be complete;
 * undefined when some are missing.
 */
function completed(config: Uint8Array | undefined): Uint8Array | undefined {
  if (config === undefined || config.length < 23) return undefined;
  // A Buffer's slice would be a view of the source.
  const bytes = new Uint8Array(config);
  const found = new Set<number>();
  let at = 23;
  for (let arrays = bytes[22]!; arrays > 0; arrays--) {
    if (at + 3 > bytes.length) return undefined;
    const type = bytes[at]! & 0x3f;
    const units = bytes[at + 1]! * 256 + bytes[at + 2]!;
    if (PARAMETER_SETS.includes(type)) {
      bytes[at]! |= 0x80;
      if (units > 0) found.add(type);
    }
    at += 3;
    for (let unit = 0; unit < units; unit++) {
      if (at + 2 > bytes.length) return undefined;
      at += 2 + bytes[at]! * 256 + bytes[at + 1]!;
    }
    if (at > bytes.length) return undefined;
  }
  return found.size === PARAMETER_SETS.length ? bytes : undefined;
}
