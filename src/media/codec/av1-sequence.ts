import { BitReader } from './bit-reader.js';
import { type CodedSize, sizeLeft } from './coded-size.js';
import { UNSPECIFIED } from './video-usability.js';

const SEQUENCE_HEADER = 1;
/** Values that mean "as the stream says" (AV1 section 6.4.2). */
const SELECT = 2;

/** Transfer characteristics of the sequence header in `av1C`; 2 (unspecified) when it says nothing. */
export function av1Transfer(av1C: Uint8Array): number {
  return findSequence(av1C)?.transfer ?? UNSPECIFIED;
}

/** Size of the largest pictures by the sequence header in `av1C`; undefined when there is none that tells. */
export function av1Size(av1C: Uint8Array): CodedSize | undefined {
  return findSequence(av1C)?.size;
}

interface Sequence {
  readonly size: CodedSize | undefined;
  readonly transfer: number;
}

function findSequence(av1C: Uint8Array): Sequence | undefined {
  const reader = new BitReader(av1C.subarray(4));
  while (reader.left >= 16) {
    reader.skip(1);
    const type = reader.bits(4);
    const hasExtension = reader.flag();
    const hasSize = reader.flag();
    reader.skip(hasExtension ? 9 : 1);
    const size = hasSize ? leb128(reader) : reader.left / 8;
    if (type === SEQUENCE_HEADER) return sequenceHeader(reader);
    reader.skip(size * 8);
  }
  return undefined;
}

function leb128(reader: BitReader): number {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const more = reader.flag();
    value += reader.bits(7) * 128 ** i;
    if (!more) break;
  }
  return value;
}

/** sequence_header_obu() (AV1 section 5.5.1) up to the transfer in its color_config(). */
function sequenceHeader(reader: BitReader): Sequence {
  const profile = reader.bits(3);
  reader.skip(1);
  const isReduced = reader.flag();
  if (isReduced) reader.skip(5);
  else skipOperatingPoints(reader);
  const [widthBits, heightBits] = [reader.bits(4) + 1, reader.bits(4) + 1];
  const [width, height] = [reader.bits(widthBits) + 1, reader.bits(heightBits) + 1];
  const size = reader.ended ? undefined : sizeLeft(width, height, [0, 0, 0, 0], [1, 1]);
  if (!isReduced && reader.flag()) reader.skip(4 + 3);
  reader.skip(3);
  if (!isReduced) {
    reader.skip(4);
    const hasOrder = reader.flag();
    if (hasOrder) reader.skip(2);
    const tools = reader.flag() ? SELECT : reader.bits(1);
    if (tools > 0 && !reader.flag()) reader.skip(1);
    if (hasOrder) reader.skip(3);
  }
  reader.skip(3);
  const isDeep = reader.flag();
  if (profile === 2 && isDeep) reader.skip(1);
  if (profile !== 1) reader.skip(1);
  if (!reader.flag()) return { size, transfer: UNSPECIFIED };
  reader.skip(8);
  const transfer = reader.bits(8);
  return { size, transfer: reader.ended ? UNSPECIFIED : transfer };
}

function skipOperatingPoints(reader: BitReader): void {
  let delayBits = 0;
  if (reader.flag()) {
    reader.skip(64);
    // num_ticks_per_picture_minus_1, uvlc(), which has the form of ue(v).
    if (reader.flag()) reader.ue();
    if (reader.flag()) {
      delayBits = reader.bits(5) + 1;
      reader.skip(32 + 5 + 5);
    }
  }
  const hasDelays = reader.flag();
  const points = reader.bits(5) + 1;
  for (let i = 0; i < points; i++) {
    reader.skip(12);
    if (reader.bits(5) > 7) reader.skip(1);
    if (delayBits > 0 && reader.flag()) reader.skip(delayBits * 2 + 1);
    if (hasDelays && reader.flag()) reader.skip(4);
  }
}
