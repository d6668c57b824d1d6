import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

/** A frame that came (RFC 6455 section 5.2). */
export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

interface OpenOptions {
  readonly fields?: string[];
  readonly hasKey?: boolean;
  readonly secure?: boolean;
  readonly behind?: Buffer;
}

/** A viewer by WebSocket that looks at every byte, and sends what it likes. */
export class MessageViewer {
  readonly frames: Frame[] = [];
  /** What came before the first frame. */
  head = '';
  bytes = 0;
  ended = false;
  #rest = Buffer.alloc(0);
  readonly key = randomBytes(16).toString('base64');

  private constructor(readonly socket: Socket) {
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.ended = true;
    });
    socket.on('end', () => socket.end());
  }

  /** @param fields lines in place of the usual ones, key included without `hasKey`; `behind` come with the head */
  static async open(
    port: number,
    path: string,
    { fields, hasKey = true, secure = false, behind = Buffer.alloc(0) }: OpenOptions = {},
  ): Promise<MessageViewer> {
    const socket = secure
      ? connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect(port, '127.0.0.1');
    await once(socket, secure ? 'secureConnect' : 'connect');
    const viewer = new MessageViewer(socket);
    const usual = ['Upgrade: websocket', 'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Version: 13'];
    const own = hasKey ? [`Sec-WebSocket-Key: ${viewer.key}`] : [];
    const lines = [`GET ${path} HTTP/1.1`, 'Host: edge', ...own, ...(fields ?? usual)];
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), behind]));
    return viewer;
  }

  /** What the server must say to the key. */
  get accept(): string {
    return createHash('sha1').update(`${this.key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  }

  /** Payloads of messages, one after the other. */
  get media(): Buffer {
    return Buffer.concat(this.frames.filter(({ opcode }) => opcode === OPCODE.binary).map(({ payload }) => payload));
  }

  count(opcode: number): number {
    return this.frames.filter(frame => frame.opcode === opcode).length;
  }

  send(opcode: number, payload: Buffer = Buffer.alloc(0)): void {
    this.socket.write(frameOf(opcode, payload));
  }

  #take(data: Buffer): void {
    this.bytes += data.length;
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#rest.subarray(0, end).toString('latin1');
      this.#rest = this.#rest.subarray(end + 4);
    }
    if (!this.head.startsWith('HTTP/1.1 101')) return;
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return;
      const short = rest[1]! & 0x7f;
      const start = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (rest.length < start) return;
      const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
      if (rest.length < start + length) return;
      if ((rest[0]! & 0xf0) !== 0x80 || (rest[1]! & 0x80) !== 0)
        throw new Error(`a wrong frame: ${rest[0]} ${rest[1]}`);
      this.frames.push({ opcode: rest[0]! & 0xf, payload: rest.subarray(start, start + length) });
      this.#rest = rest.subarray(start + length);
    }
  }
}

/** A whole masked frame. */
export function frameOf(opcode: number, payload: Buffer, isMasked = true): Buffer {
  const mask = randomBytes(4);
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = head.length === 2 ? payload.length : head.length === 4 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(payload.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  head[1]! |= 0x80;
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]);
}
