import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

/** Types of frames (RFC 9113 section 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
  unknown: 0x77,
};
/** Flags of HEADERS: the request has no content, its head has no continuation. */
export const END_STREAM = 1;
export const END_HEADERS = 4;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEAD = 9;

/** A frame of HTTP/2. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Field lines in HPACK (RFC 7541), without Huffman's code. @param indexed they go into the table */
export function fieldBlock(lines: readonly (readonly [name: string, value: string])[], indexed = false): Buffer {
  return Buffer.concat(lines.flatMap(([name, value]) => [Buffer.from([indexed ? 0x40 : 0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const length: number[] = [];
  if (value.length < 127) length.push(value.length);
  else {
    let rest = value.length - 127;
    for (length.push(127); rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), Buffer.from(value)]);
}

/** The block of a request for a path. */
export function asking(path: string): Buffer {
  return fieldBlock([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'a'],
    [':path', path],
  ]);
}

/** A connection of HTTP/2 that says what it likes. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  /** The other side has closed it, or reset it. */
  isClosed = false;
  readonly closed: Promise<void>;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.resume();
    this.closed = new Promise(resolve => {
      for (const event of ['end', 'close']) {
        socket.once(event, () => {
          this.isClosed = true;
          resolve();
        });
      }
    });
  }

  /** @param settings payload of the SETTINGS frame that it begins with */
  static async open(port: number, settings: Uint8Array = Buffer.alloc(0)): Promise<RawHttp2> {
    const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const connection = new RawHttp2(socket);
    socket.write(PREFACE);
    socket.write(frame(FRAME.settings, 0, 0, settings));
    return connection;
  }

  /**
   * Sends what `make` makes, as it is taken, until the other side has closed, or `most` bytes were sent.
   * @returns how many bytes were sent
   */
  async flood(make: (round: number) => Uint8Array, most: number): Promise<number> {
    let sent = 0;
    for (let round = 0; !this.isClosed && sent < most; round++) {
      const bytes = make(round);
      sent += bytes.length;
      const isTaken = this.socket.write(bytes);
      if (!isTaken) await Promise.race([once(this.socket, 'drain'), this.closed]).catch(() => {});
      else await new Promise(setImmediate);
    }
    return sent;
  }
}
