import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** What came of one request. */
export interface Viewing {
  /** `performance.now()` at which the request was written, and at which the first byte of the body came. */
  readonly asked: number;
  readonly first: number;
  /** Bytes of body. */
  readonly bytes: number;
}

/** All viewers read into one buffer: nobody looks at the bytes. */
const BUFFER = Buffer.alloc(256 * 1024);
const HEAD_END = '\r\n\r\n';

/**
 * A player on a connection that is kept, with as little work per byte as Node allows, which notes when the first byte
 * of a body comes.
 */
export class Viewer {
  readonly #port: number;
  readonly #socket: Socket;
  #head = '';
  #asked = 0;
  #first = 0;
  #bytes = 0;
  /** Bytes of body to come; undefined while the head is read. */
  #length: number | undefined;
  /** Bytes after which it leaves. */
  #most = 0;
  #settle: ((outcome: Viewing | Error) => void) | undefined;

  private constructor(port: number) {
    this.#port = port;
    const callback = (bytes: number) => {
      this.#received(bytes);
      return true;
    };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: BUFFER, callback } });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#end(new Error('the server has closed the connection')));
  }

  static async connect(port: number): Promise<Viewer> {
    const viewer = new Viewer(port);
    await once(viewer.#socket, 'connect');
    return viewer;
  }

  /**
   * Asks for a file and reads it to its end.
   * @param range value of the Range field
   * @param most bytes after which the viewer leaves, with its connection
   * @throws Error when the answer is no 200 or 206, or does not come whole
   */
  async watch(path: string, range?: string, most = Number.POSITIVE_INFINITY): Promise<Viewing> {
    this.#head = '';
    this.#length = undefined;
    this.#bytes = 0;
    this.#most = most;
    this.#asked = performance.now();
    const outcome = await new Promise<Viewing | Error>(resolve => {
      this.#settle = resolve;
      const field = range === undefined ? '' : `Range: ${range}\r\n`;
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${field}\r\n`);
    });
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  leave(): void {
    this.#socket.destroy();
  }

  #received(bytes: number): void {
    const now = performance.now();
    const body = this.#length === undefined ? this.#readHead(bytes) : bytes;
    if (body === 0) return;
    if (this.#bytes === 0) this.#first = now;
    this.#bytes += body;
    if (this.#bytes >= this.#most) this.leave();
    else if (this.#bytes < this.#length!) return;
    this.#end({ asked: this.#asked, first: this.#first, bytes: this.#bytes });
  }

  /** @returns bytes of body that came with the end of the head */
  #readHead(bytes: number): number {
    const before = this.#head.length;
    this.#head += BUFFER.toString('latin1', 0, Math.min(bytes, 8192));
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return 0;
    const [status = ''] = this.#head.split('\r\n', 1);
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1];
    if (!/^HTTP\/1.1 20[06] /.test(status) || length === undefined) {
      this.#end(new Error(`expected a file with its length, found: ${status}`));
      return 0;
    }
    this.#length = Number(length);
    return bytes - (end + HEAD_END.length - before);
  }

  #end(outcome: Viewing | Error): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(outcome);
  }
}
