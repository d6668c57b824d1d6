import { BitReader } from './bit-reader.js';
import { unescaped } from './nal-unit.js';
import { readUsability, type Usability } from './video-usability.js';

/** Profiles whose sequence parameter sets have the fields of chroma (ISO/IEC 14496-10 section 7.3.2.1.1). */
const HIGH = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const REFERENCES_MAX = 255;

/** What the first sequence parameter set of `avcC` says; undefined when there is none, or it says nothing of it. */
export function h264Usability(avcC: Uint8Array): Usability | undefined {
  if (avcC.length < 8 || (avcC[5]! & 0x1f) === 0) return undefined;
  const size = avcC[6]! * 256 + avcC[7]!;
  const reader = new BitReader(unescaped(avcC.subarray(8, 8 + size)));
  reader.skip(8);
  const profile = reader.bits(8);
  reader.skip(16);
  reader.ue();
  if (HIGH.includes(profile)) {
    const chroma = reader.ue();
    if (chroma === 3) reader.skip(1);
    reader.ue();
    reader.ue();
    reader.skip(1);
    const lists = !reader.flag() ? 0 : chroma === 3 ? 12 : 8;
    for (let i = 0; i < lists; i++) if (reader.flag()) skipScaling(reader, i < 6 ? 16 : 64);
  }
  reader.ue();
  const order = reader.ue();
  if (order === 0) reader.ue();
  else if (order === 1) {
    reader.skip(1);
    reader.se();
    reader.se();
    const count = reader.ue();
    if (count > REFERENCES_MAX) return undefined;
    for (let i = 0; i < count; i++) reader.se();
  }
  reader.ue();
  reader.skip(1);
  reader.ue();
  reader.ue();
  if (!reader.flag()) reader.skip(1);
  reader.skip(1);
  if (reader.flag()) for (let i = 0; i < 4; i++) reader.ue();
  return reader.flag() && !reader.ended ? readUsability(reader) : undefined;
}

/** scaling_list() (section 7.3.2.1.1.1). */
function skipScaling(reader: BitReader, size: number): void {
  let [last, next] = [8, 8];
  for (let i = 0; i < size && next !== 0; i++) {
    next = (last + reader.se() + 256) % 256;
    if (next !== 0) last = next;
  }
}
