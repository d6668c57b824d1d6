import { BitReader } from './bit-reader.js';
import { type CodedSize, sizeLeft, subsampling } from './coded-size.js';
import { unescaped } from './nal-unit.js';
import { readUsability, UNSPECIFIED, type Usability } from './video-usability.js';

const [SEQUENCE, PREFIX_SEI] = [33, 39];
/** Payload type of alternative_transfer_characteristics (ISO/IEC 23008-2 section D.2.38). */
const ALTERNATIVE_TRANSFER = 147;
/** Bounds of the standard, and one that any real file keeps. */
const [SETS_MAX, PICTURES_MAX, LONG_TERM_MAX, UNITS_MAX] = [64, 16, 32, 256];

/**
 * What the sequence parameter set of `hvcC` says; undefined when there is none, or it says nothing of it. Where an SEI
 * message beside it names another transfer, as broadcasters do for HLG, that one counts.
 */
export function hevcUsability(hvcC: Uint8Array): Usability | undefined {
  let usability: Usability | undefined;
  let preferred: number | undefined;
  for (const { type, unit } of units(hvcC)) {
    if (type === SEQUENCE) usability ??= sequence(unescaped(unit.subarray(2)));
    if (type === PREFIX_SEI) preferred ??= preferredTransfer(unescaped(unit.subarray(2)));
  }
  if (preferred === undefined) return usability;
  return { aspect: usability?.aspect ?? [0, 0], transfer: preferred };
}

/** Size of the pictures by the sequence parameter set of `hvcC`; undefined when there is none that tells. */
export function hevcSize(hvcC: Uint8Array): CodedSize | undefined {
  for (const { type, unit } of units(hvcC)) {
    if (type !== SEQUENCE) continue;
    const reader = new BitReader(unescaped(unit.subarray(2)));
    const { size } = readSize(reader);
    return reader.ended ? undefined : size;
  }
  return undefined;
}

/** NAL units of HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1). */
function* units(hvcC: Uint8Array): Generator<{ readonly type: number; readonly unit: Uint8Array }> {
  const u16 = (at: number) => (hvcC[at] ?? 0) * 256 + (hvcC[at + 1] ?? 0);
  let at = 23;
  let seen = 0;
  for (let arrays = hvcC[22] ?? 0; arrays > 0 && at + 3 <= hvcC.length; arrays--) {
    const type = hvcC[at]! & 0x3f;
    let count = u16(at + 1);
    at += 3;
    for (; count > 0 && at + 2 <= hvcC.length && seen < UNITS_MAX; count--, seen++) {
      const size = u16(at);
      yield { type, unit: hvcC.subarray(at + 2, at + 2 + size) };
      at += 2 + size;
    }
  }
}

/** The beginning of seq_parameter_set_rbsp() (ISO/IEC 23008-2 section 7.3.2.2.1). */
function readSize(reader: BitReader): { readonly layers: number; readonly size: CodedSize | undefined } {
  reader.skip(4);
  const layers = reader.bits(3);
  reader.skip(1);
  skipProfile(reader, layers);
  reader.ue();
  const chroma = reader.ue();
  if (chroma === 3) reader.skip(1);
  const [width, height] = [reader.ue(), reader.ue()];
  const cut: [number, number, number, number] = [0, 0, 0, 0];
  if (reader.flag()) for (let i = 0; i < 4; i++) cut[i] = reader.ue();
  return { layers, size: sizeLeft(width, height, cut, subsampling(chroma)) };
}

/** seq_parameter_set_rbsp() up to its VUI. */
function sequence(bytes: Uint8Array): Usability | undefined {
  const reader = new BitReader(bytes);
  const { layers } = readSize(reader);
  reader.ue();
  reader.ue();
  const countBits = reader.ue() + 4;
  for (let i = reader.flag() ? 0 : layers; i <= layers; i++) for (let j = 0; j < 3; j++) reader.ue();
  for (let i = 0; i < 6; i++) reader.ue();
  if (reader.flag() && reader.flag()) skipScaling(reader);
  reader.skip(2);
  if (reader.flag()) {
    reader.skip(8);
    reader.ue();
    reader.ue();
    reader.skip(1);
  }
  const sets = reader.ue();
  if (sets > SETS_MAX || countBits > 16 || !skipReferenceSets(reader, sets)) return undefined;
  if (reader.flag()) {
    const pictures = reader.ue();
    if (pictures > LONG_TERM_MAX) return undefined;
    reader.skip(pictures * (countBits + 1));
  }
  reader.skip(2);
  return reader.flag() && !reader.ended ? readUsability(reader) : undefined;
}

/** profile_tier_level() (section 7.3.3). */
function skipProfile(reader: BitReader, layers: number): void {
  reader.skip(88 + 8);
  const present: [profile: boolean, level: boolean][] = [];
  for (let i = 0; i < layers; i++) present.push([reader.flag(), reader.flag()]);
  if (layers > 0) reader.skip((8 - layers) * 2);
  for (const [profile, level] of present) reader.skip((profile ? 88 : 0) + (level ? 8 : 0));
}

/** scaling_list_data() (section 7.3.4). */
function skipScaling(reader: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!reader.flag()) {
        reader.ue();
        continue;
      }
      if (size > 1) reader.se();
      for (let i = 0; i < Math.min(64, 16 << (size * 2)); i++) reader.se();
    }
  }
}

/** st_ref_pic_set() (section 7.3.7) of all sets; false when they make no sense. */
function skipReferenceSets(reader: BitReader, sets: number): boolean {
  let pictures = 0;
  for (let set = 0; set < sets; set++) {
    if (set > 0 && reader.flag()) {
      reader.skip(1);
      reader.ue();
      const before = pictures;
      pictures = 0;
      for (let i = 0; i <= before; i++) if (reader.flag() || reader.flag()) pictures++;
    } else {
      const [negative, positive] = [reader.ue(), reader.ue()];
      if (negative > PICTURES_MAX || positive > PICTURES_MAX) return false;
      pictures = negative + positive;
      for (let i = 0; i < pictures; i++) {
        reader.ue();
        reader.skip(1);
      }
    }
    if (reader.ended || pictures > PICTURES_MAX) return false;
  }
  return true;
}

/** The transfer that an sei_rbsp() asks for (section 7.3.5). */
function preferredTransfer(bytes: Uint8Array): number | undefined {
  const reader = new BitReader(bytes);
  const number = () => {
    let sum = 0;
    for (;;) {
      const byte = reader.bits(8);
      sum += byte;
      if (byte !== 255) return sum;
    }
  };
  while (reader.left > 16) {
    const [type, size] = [number(), number()];
    if (type === ALTERNATIVE_TRANSFER && reader.left >= 8) {
      const transfer = reader.bits(8);
      return transfer === UNSPECIFIED ? undefined : transfer;
    }
    reader.skip(size * 8);
  }
  return undefined;
}
