import { MESSAGE_MAX } from '../front-end.js';

/** What frames are (RFC 6455 section 5.2). */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Statuses of closing (RFC 6455 section 7.4.1). */
export const CLOSE = { normal: 1000, wrong: 1002, tooLarge: 1009 } as const;

/** Most bytes of a control frame's payload. */
const CONTROL_MAX = 125;
const KNOWN: ReadonlySet<number> = new Set(Object.values(OPCODE));

/** A frame of a client, without its mask. */
export interface MessageFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Reads what a client sends, however it is parted; holds no more than one frame of the largest size. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes of the message under way; undefined between messages. */
  #message: number | undefined;

  /**
   * Takes bytes.
   * @returns the frames that are whole now; at last the status to close with, when what comes is none: then nothing
   * more may be read
   */
  *read(data: Buffer): Generator<MessageFrame | number> {
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    while (bytes.length >= 2) {
      const { opcode, isLast, size, length } = headOf(bytes);
      const wrong = this.#wrong(bytes, opcode, isLast, length);
      if (wrong !== undefined) {
        yield wrong;
        return;
      }
      if (bytes.length < size + length) break;
      const mask = bytes.subarray(size - 4, size);
      const payload = Buffer.from(bytes.subarray(size, size + length).map((byte, at) => byte ^ mask[at % 4]!));
      if (opcode < OPCODE.close) this.#message = isLast ? undefined : (this.#message ?? 0) + length;
      bytes = bytes.subarray(size + length);
      yield { opcode, payload };
    }
    this.#rest = Buffer.from(bytes);
  }

  /** The status to close with; undefined for a frame that may come now. */
  #wrong(bytes: Buffer, opcode: number, isLast: boolean, length: number): number | undefined {
    const hasReserved = (bytes[0]! & 0x70) !== 0;
    const isMasked = (bytes[1]! & 0x80) !== 0;
    if (hasReserved || !isMasked || !KNOWN.has(opcode)) return CLOSE.wrong;
    if (opcode >= OPCODE.close) return isLast && length <= CONTROL_MAX ? undefined : CLOSE.wrong;
    if ((opcode === OPCODE.continuation) !== (this.#message !== undefined)) return CLOSE.wrong;
    return (this.#message ?? 0) + length > MESSAGE_MAX ? CLOSE.tooLarge : undefined;
  }
}

/** Of a frame its first bytes say what it is, how long it is, and where its payload begins. */
function headOf(bytes: Buffer) {
  const short = bytes[1]! & 0x7f;
  // Where the length has not come yet, it is what the form of it stands for at least.
  const length = short === 126 ? (bytes.length < 4 ? 126 : bytes.readUInt16BE(2)) : short === 127 ? 0x10000 : short;
  const size = (short === 126 ? 4 : short === 127 ? 10 : 2) + 4;
  return { opcode: bytes[0]! & 0xf, isLast: (bytes[0]! & 0x80) !== 0, size, length };
}
