import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { fieldLine } from '../../base/field-line.js';
import { FRAME_PREFIX } from '../../live/delivery/viewer-socket.js';
import type { FrontSocket, FrontSocketHandler } from '../front-end.js';
import { CLOSE, FrameReader, OPCODE } from './message-frames.js';

/** What a key is put together with (RFC 6455 section 1.3). */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Bytes that may wait for a client before its pings are answered no more. */
const PONG_MAX = 64 * 1024;
/** Milliseconds that a client has to take what is left and close its side. */
const LINGER = 10_000;

/** What a client's request says of the protocol. */
interface Handshake {
  readonly key: string;
  /** The one that is spoken within; '' when none is asked for. */
  readonly protocol: string;
}

/** A connection of Node that goes on by messages: the server's side of RFC 6455. */
export class NodeSocket implements FrontSocket {
  readonly endsBehindAll = true;
  readonly #socket: Duplex;
  readonly #reader = new FrameReader();
  #isEnding = false;

  /**
   * Says that the protocol has changed, and tells `handler`.
   * @param early bytes that have come behind the request
   */
  constructor(socket: Duplex, handler: FrontSocketHandler, { key, protocol }: Handshake, early: Buffer) {
    this.#socket = socket;
    const accept = createHash('sha1').update(`${key}${MAGIC}`).digest('base64');
    const lines = [
      fieldLine('Upgrade', 'websocket'),
      fieldLine('Connection', 'Upgrade'),
      fieldLine('Sec-WebSocket-Accept', accept),
      protocol === '' ? '' : fieldLine('Sec-WebSocket-Protocol', protocol),
    ];
    socket.write(`HTTP/1.1 101 Switching Protocols${lines.join('')}\r\n\r\n`);
    socket.once('close', () => handler.closed());
    socket.once('end', () => this.close());
    handler.open(this);
    socket.on('data', (data: Buffer) => this.#take(data));
    if (early.length > 0) this.#take(early);
  }

  send(message: Uint8Array): boolean {
    return this.#write(FRAME_PREFIX.websocket(message.length), message);
  }

  getBufferedAmount(): number {
    return this.#socket.writableLength;
  }

  /** Nothing is sent past Node. */
  owes(): void {}

  end(code: number): void {
    if (this.#isEnding) return;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#control(OPCODE.close, payload);
    this.#isEnding = true;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    if (this.#isEnding) return;
    for (const frame of this.#reader.read(data)) {
      if (typeof frame === 'number') this.end(frame);
      else if (frame.opcode === OPCODE.close) this.end(CLOSE.normal);
      else if (frame.opcode === OPCODE.ping && this.#socket.writableLength < PONG_MAX)
        this.#control(OPCODE.pong, frame.payload);
      if (this.#isEnding) return;
    }
  }

  #control(opcode: number, payload: Uint8Array): void {
    this.#write(Buffer.of(0x80 | opcode, payload.length), payload);
  }

  #write(prefix: Uint8Array, payload: Uint8Array): boolean {
    if (this.#isEnding || this.#socket.destroyed) return false;
    // Node goes on with it after the call, where the caller's memory may be another's.
    this.#socket.write(Buffer.concat([prefix, payload]));
    return true;
  }
}
