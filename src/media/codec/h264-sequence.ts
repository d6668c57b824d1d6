import { BitReader } from './bit-reader.js';
import { type CodedSize, sizeLeft, subsampling } from './coded-size.js';
import { unescaped } from './nal-unit.js';
import { readUsability, type Usability } from './video-usability.js';

/** Profiles whose sequence parameter sets have the fields of chroma (ISO/IEC 14496-10 section 7.3.2.1.1). */
const HIGH = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
const REFERENCES_MAX = 255;
/** Type of the NAL unit of a sequence parameter set (section 7.4.1). */
const SEQUENCE = 7;

interface Sequence {
  readonly size: CodedSize | undefined;
  readonly usability: Usability | undefined;
}

/** What the first sequence parameter set of `avcC` says; undefined when there is none, or it says nothing of it. */
export function h264Usability(avcC: Uint8Array): Usability | undefined {
  return sequence(avcC)?.usability;
}

/** Size of the pictures by the first sequence parameter set of `avcC`; undefined when there is none that tells. */
export function h264Size(avcC: Uint8Array): CodedSize | undefined {
  if (avcC.length < 9 || 8 + avcC[6]! * 256 + avcC[7]! > avcC.length || (avcC[8]! & 0x1f) !== SEQUENCE)
    return undefined;
  return sequence(avcC)?.size;
}

/** seq_parameter_set_data() (ISO/IEC 14496-10 section 7.3.2.1.1) up to the beginning of its VUI. */
function sequence(avcC: Uint8Array): Sequence | undefined {
  if (avcC.length < 8 || (avcC[5]! & 0x1f) === 0) return undefined;
  const length = avcC[6]! * 256 + avcC[7]!;
  const reader = new BitReader(unescaped(avcC.subarray(8, 8 + length)));
  reader.skip(8);
  const profile = reader.bits(8);
  reader.skip(16);
  reader.ue();
  let chroma = 1;
  if (HIGH.includes(profile)) {
    chroma = reader.ue();
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
  const [columns, rows] = [reader.ue() + 1, reader.ue() + 1];
  const isProgressive = reader.flag();
  if (!isProgressive) reader.skip(1);
  reader.skip(1);
  const cut: [number, number, number, number] = [0, 0, 0, 0];
  if (reader.flag()) for (let i = 0; i < 4; i++) cut[i] = reader.ue();
  const hasUsability = reader.flag();
  if (reader.ended) return undefined;
  const [across, down] = subsampling(chroma);
  const lines = isProgressive ? 1 : 2;
  const size = sizeLeft(columns * 16, rows * lines * 16, cut, [across, down * lines]);
  return { size, usability: hasUsability ? readUsability(reader) : undefined };
}

/** scaling_list() (section 7.3.2.1.1.1). */
function skipScaling(reader: BitReader, size: number): void {
  let [last, next] = [8, 8];
  for (let i = 0; i < size && next !== 0; i++) {
    next = (last + reader.se() + 256) % 256;
    if (next !== 0) last = next;
  }
}
