/** Codec configurations that decoders understand, as data of tags: 640 × 360 pixels of AVC, and AAC. */
export const HEADERS = {
  video: Buffer.from(
    '17000000000142c01effe100146742c01ed901405ff2e022000003000200000300651e2c5c9001000468cb83cb',
    'hex',
  ),
  audio: Buffer.from('af001208', 'hex'),
} as const;

/** A frame of a soak's stream: those of each track are numbered over all of its publishers. */
export interface Frame {
  readonly number: number;
  readonly isKey: boolean;
}

/** Bytes of a tag's data before the frame; of a NAL unit before the number; and of the number. */
const [AVC_HEAD, AAC_HEAD, NAL_HEAD, NUMBER] = [5, 2, 5, 6];
const KEY_NAL = 0x65;
/** Runs of bytes to compare with. */
const fills = new Map<number, Buffer>();
const FILL_MAX = 1 << 20;

/** A picture of so many bytes, filled with what follows from its number. */
export function picture(number: number, isKey: boolean, size: number): Buffer {
  const data = Buffer.alloc(AVC_HEAD + NAL_HEAD + NUMBER + size, number & 255);
  data.writeUIntBE(((isKey ? 0x17 : 0x27) << 8) | 1, 0, 2);
  data.writeUIntBE(0, 2, 3);
  data.writeUInt32BE(data.length - AVC_HEAD - 4, AVC_HEAD);
  data[AVC_HEAD + 4] = isKey ? KEY_NAL : 0x41;
  data.writeUIntBE(number, AVC_HEAD + NAL_HEAD, NUMBER);
  return data;
}

/** A frame of sound. */
export function sound(number: number): Buffer {
  const data = Buffer.alloc(AAC_HEAD + NUMBER + 40, number & 255);
  data.writeUIntBE(0xaf01, 0, AAC_HEAD);
  data.writeUIntBE(number, AAC_HEAD, NUMBER);
  return data;
}

/**
 * Reads a frame out of a tag's data; undefined for a header.
 * @throws Error when a byte is not as it was published
 */
export function readTag(type: number, data: Buffer): Frame | undefined {
  if (type === 18 || data[1] === 0) return undefined;
  if (type === 8) return { number: readNumber(data, AAC_HEAD), isKey: true };
  const frame = readNal(data.subarray(AVC_HEAD));
  if (frame.isKey !== (data[0] === 0x17)) throw new Error(`picture ${frame.number} is of another kind`);
  return frame;
}

/** Reads a picture as MP4 has it. @throws Error when a byte is not as it was published */
export function readNal(data: Buffer): Frame {
  if (data.readUInt32BE(0) !== data.length - 4) throw new Error(`a NAL unit of ${data.length} bytes is not whole`);
  return { number: readNumber(data, NAL_HEAD), isKey: data[4] === KEY_NAL };
}

function readNumber(data: Buffer, at: number): number {
  const number = data.readUIntBE(at, NUMBER);
  const byte = number & 255;
  const fill = fills.get(byte) ?? Buffer.alloc(FILL_MAX, byte);
  fills.set(byte, fill);
  const rest = data.length - at - NUMBER;
  if (data.compare(fill, 0, rest, at + NUMBER) !== 0) throw new Error(`frame ${number} has wrong bytes`);
  return number;
}
