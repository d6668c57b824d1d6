/** A message to be sent. */
export interface TestMessage {
  readonly chunkStream: number;
  readonly type: number;
  /** Milliseconds, modulo 2^32. */
  readonly timestamp: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** How a sender writes chunks, as senders differ. */
export interface ChunkStyle {
  readonly chunkSize: number;
  /** Whether headers say only what differs from the message before. */
  readonly isCompressed: boolean;
  /** What stands behind a header of type 3 when there is an extended timestamp: it, nothing, or the message's time. */
  readonly repeated: 'field' | 'none' | 'absolute';
  /** Bytes of basic headers, where there is a choice. */
  readonly basic?: 1 | 2 | 3;
  /** Whether the first message of a chunk stream has a header of type 1. */
  readonly startsWithType1?: boolean;
}

interface Before {
  message: TestMessage;
  delta: number;
  field: number;
}

const EXTENDED = 0xffffff;

/** Writes messages as chunks, keeping what headers refer to. Written from the standard, apart from the reader. */
export class TestChunks {
  readonly #before = new Map<number, Before>();

  constructor(public style: ChunkStyle) {}

  /** The chunks of a message, which may be interleaved with those of other chunk streams. */
  write(message: TestMessage): Buffer[] {
    const { chunkSize, repeated } = this.style;
    const { chunkStream: id, payload, timestamp } = message;
    const { format, field } = this.#head(message);
    const time = Math.min(field, EXTENDED);
    const head = Buffer.alloc([11, 7, 3, 0][format]!);
    if (format < 3) head.writeUIntBE(time, 0, 3);
    if (format < 2) {
      head.writeUIntBE(payload.length, 3, 3);
      head[6] = message.type;
    }
    if (format === 0) head.writeUInt32LE(message.streamId, 7);
    const isExtended = field >= EXTENDED;
    const field32 = (value: number) => (isExtended ? u32(value) : Buffer.alloc(0));
    const again = repeated === 'none' ? Buffer.alloc(0) : field32(repeated === 'field' ? field : timestamp);
    const first = payload.subarray(0, chunkSize);
    const chunks = [Buffer.concat([this.#basic(format, id), head, format < 3 ? field32(field) : again, first])];
    for (let at = chunkSize; at < payload.length; at += chunkSize) {
      chunks.push(Buffer.concat([this.#basic(3, id), again, payload.subarray(at, at + chunkSize)]));
    }
    return chunks;
  }

  #head(message: TestMessage): { format: number; field: number } {
    const { chunkStream: id, timestamp, payload, type, streamId } = message;
    const before = this.#before.get(id);
    let format = 0;
    let field = timestamp;
    if (before === undefined && this.style.startsWithType1 === true) format = 1;
    if (before !== undefined && this.style.isCompressed && before.message.streamId === streamId) {
      const delta = (timestamp - before.message.timestamp) >>> 0;
      const isAlike = before.message.payload.length === payload.length && before.message.type === type;
      format = !isAlike ? 1 : delta === before.delta ? 3 : 2;
      field = delta;
    }
    // After type 0 a type 3 repeats that timestamp as a delta (RTMP 1.0, section 5.3.1.2.4).
    this.#before.set(id, { message, delta: format === 0 ? timestamp : field, field });
    return { format, field };
  }

  #basic(format: number, id: number): Buffer {
    const bits = format << 6;
    const { basic = 1 } = this.style;
    if (id < 64 && basic < 3) return Buffer.from([bits | id]);
    if (id < 64) return Buffer.from([bits | id]);
    if (id < 320 && basic < 3) return Buffer.from([bits, id - 64]);
    return Buffer.from([bits | 1, (id - 64) & 0xff, (id - 64) >> 8]);
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
