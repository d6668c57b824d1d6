import { connect, type Socket } from 'node:net';
import type { Server } from './server.js';

/** Bytes that are read at once. */
const BUFFER = 256 * 1024;
const HEAD_END = '\r\n\r\n';

/** An answer that is being read. */
interface Reading {
  readonly request: string;
  readonly done: (bytes: number) => void;
  readonly failed: (error: Error) => void;
  head: string;
  /** Bytes of the body, and those that are still to come; 0 before the head is whole. */
  length: number;
  left: number;
}

/**
 * A player that asks for one range after the other over one connection, and lets go of what it gets: by HTTP as plain
 * as it can be, into one buffer, so that servers are what a benchmark waits for.
 */
export class RangePlayer {
  readonly #server: Server;
  #socket: Socket | undefined;
  #reading: Reading | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Reads `length` bytes from `start`, or as many as there are; tells how many came. */
  read(path: string, start: number, length: number): Promise<number> {
    return new Promise((done, failed) => {
      const { port } = new URL(this.#server.url);
      const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nRange: bytes=${start}-${start + length - 1}\r\n\r\n`;
      this.#reading = { request, done, failed, head: '', length: 0, left: 0 };
      this.#socket ??= this.#connect(Number(port));
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#reading = undefined;
    this.#socket?.destroy();
  }

  #connect(port: number): Socket {
    const onread = {
      buffer: Buffer.allocUnsafe(BUFFER),
      callback: (count: number, bytes: Uint8Array) => {
        this.#take(count, bytes as Buffer);
        return true;
      },
    };
    const socket = connect({ host: '127.0.0.1', port, onread });
    let error: Error | undefined;
    socket.on('error', found => {
      error = found;
    });
    socket.on('close', () => this.#closed(port, error));
    return socket;
  }

  #take(count: number, bytes: Buffer): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    let body = count;
    if (reading.length === 0) {
      reading.head += bytes.toString('latin1', 0, count);
      const end = reading.head.indexOf(HEAD_END);
      if (end < 0) return;
      body = reading.head.length - end - HEAD_END.length;
      reading.head = reading.head.slice(0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(reading.head)?.[1]);
      if (!reading.head.startsWith('HTTP/1.1 206 ') || !(length > 0)) {
        this.#reading = undefined;
        reading.failed(new Error(`expected a range, found ${reading.head} for ${reading.request}`));
        return;
      }
      reading.length = length;
      reading.left = length;
    }
    reading.left -= body;
    if (reading.left > 0) return;
    this.#reading = undefined;
    reading.done(reading.length);
  }

  /** A connection that was idle may be closed by the server just as it is used again. */
  #closed(port: number, error: Error | undefined): void {
    this.#socket = undefined;
    const reading = this.#reading;
    if (reading === undefined) return;
    if (reading.head === '' && error === undefined) {
      this.#socket = this.#connect(port);
      this.#socket.write(reading.request);
    } else {
      this.#reading = undefined;
      reading.failed(error ?? new Error(`the answer was cut: ${reading.left} bytes of ${reading.length} are missing`));
    }
  }
}
