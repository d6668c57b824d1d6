import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as secureConnect } from 'node:tls';

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Field lines in order, as they came. */
  readonly lines: readonly string[];
  /** Values by lower-case name, repeated ones joined with ', '. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A connection that sends what it is told, byte for byte, and reads answers. */
export class RawConnection {
  #chunks: Buffer[] = [];
  #length = 0;
  #ended = false;
  #news: () => void = () => {};

  private constructor(readonly socket: Socket) {
    socket.on('data', chunk => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#news();
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#news();
    });
    socket.on('error', () => {});
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawConnection> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** @param ca certificate of the port, which is in nobody else's name than `localhost` */
  static async openSecurely(port: number, ca: string): Promise<RawConnection> {
    const socket = secureConnect({ port, host: '127.0.0.1', ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    return new RawConnection(socket);
  }

  /** Speaks over a connection that has been made, such as one with TLS. */
  static over(socket: Socket): RawConnection {
    return new RawConnection(socket);
  }

  send(text: string | Uint8Array): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  /** Sends a request without a body. */
  request(method: string, target: string, fields: Readonly<Record<string, string>> = {}): this {
    const lines = Object.entries({ Host: 'edge.example', ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.send(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  /**
   * Reads the next answer.
   * @param method of its request; the answer to a HEAD has no body
   * @throws Error when the connection ends before the answer does
   */
  async answer(method = 'GET'): Promise<RawAnswer> {
    const head = await this.#until('\r\n\r\n');
    const [statusLine, ...lines] = head.toString('latin1').slice(0, -4).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1]);
    const fields: Record<string, string> = {};
    for (const line of lines) {
      const [name, value] = [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()];
      fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
    }
    const bodiless = method === 'HEAD' || status === 204 || status === 304;
    const chunked = fields['transfer-encoding'] === 'chunked';
    const body = bodiless
      ? Buffer.alloc(0)
      : chunked
        ? await this.#dechunked()
        : await this.#take(Number(fields['content-length']));
    return { status, lines, fields, body };
  }

  /** What has come so far and was not read as an answer. */
  received(): Buffer {
    return this.#joined();
  }

  /** Everything that comes until the other side closes. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) await this.#more();
    return this.#joined();
  }

  async #dechunked(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt((await this.#until('\r\n')).toString('latin1'), 16);
      chunks.push((await this.#take(size + 2)).subarray(0, size));
      if (size === 0) return Buffer.concat(chunks);
    }
  }

  async #until(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.#joined().indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more();
    }
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#length < length) await this.#more();
    const all = this.#joined();
    this.#chunks = [all.subarray(length)];
    this.#length -= length;
    return all.subarray(0, length);
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #more(): Promise<void> {
    if (this.#ended)
      throw new Error(`the connection ended within an answer, before ${this.#joined().subarray(0, 200)}`);
    return new Promise(resolve => {
      this.#news = resolve;
    });
  }
}

/** Sends one request over a connection of its own and reads its answer. */
export async function fetchRaw(
  port: number,
  method: string,
  target: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  const connection = await RawConnection.open(port);
  try {
    return await connection.request(method, target, fields).answer(method);
  } finally {
    connection.socket.destroy();
  }
}
