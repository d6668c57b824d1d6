import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ChunkReader } from '../../src/live/rtmp/chunk-reader.js';
import { readCommand } from '../../src/live/rtmp/command.js';
import { type Amf0Input, type Amf0Value, Amf0Writer } from '../../src/media/flv/amf0.js';
import { type ChunkStyle, TestChunks } from './rtmp-chunks.js';
import { until } from './until.js';

/** How a program publishes: what it sends between the handshake and the first frame, and in which chunks. */
export interface PublisherKind {
  readonly style: ChunkStyle;
  /** Properties of `connect` beside app and tcUrl. */
  readonly connect: Readonly<Record<string, Amf0Input>>;
  /** Commands before `createStream`. */
  readonly before: readonly string[];
  /** Whether `publish` says how (`live`). */
  readonly saysLive: boolean;
  /** Chunk streams of audio, video and scripts. */
  readonly chunkStreams: { readonly audio: number; readonly video: number; readonly script: number };
  /** What it says when it ends. */
  readonly after: readonly string[];
  /** Whether commands are AMF3 messages. */
  readonly isAmf3?: boolean;
  /** Whether it sends its commands and media without waiting for any answer. */
  readonly isBlind?: boolean;
}

const FULL: ChunkStyle = { chunkSize: 4096, isCompressed: true, repeated: 'field' };

/** Programs as they are seen on the wire. */
export const PUBLISHERS = {
  /** librtmp: chunk size 4096, everything on one chunk stream, extended timestamps repeated. */
  obs: {
    style: FULL,
    connect: {
      type: 'nonprivate',
      flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)',
      swfUrl: '',
      capsEx: 1,
      fourCcList: ['av01', 'hvc1', 'avc1'],
      videoFourCcInfoMap: { '*': 2 },
    },
    before: ['releaseStream', 'FCPublish'],
    saysLive: true,
    chunkStreams: { audio: 4, video: 4, script: 4 },
    after: ['FCUnpublish', 'deleteStream'],
  },
  /** libavformat: chunk size 60000, a chunk stream for each kind. */
  ffmpeg: {
    style: { ...FULL, chunkSize: 60_000 },
    connect: { type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; Lavf59.27.100)' },
    before: ['releaseStream', 'FCPublish'],
    saysLive: true,
    chunkStreams: { audio: 4, video: 6, script: 5 },
    after: ['FCUnpublish', 'deleteStream'],
  },
  /** rtmp2sink: one chunk size for good. */
  gstreamer: {
    style: { ...FULL, chunkSize: 65_536 },
    connect: { type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; GStreamer/1.22)', fpad: false, capabilities: 15 },
    before: ['releaseStream', 'FCPublish'],
    saysLive: true,
    chunkStreams: { audio: 4, video: 5, script: 3 },
    after: ['FCUnpublish', 'deleteStream'],
  },
  /** Apps of phones: chunks of 128 bytes, timestamps not repeated, no goodbye. */
  larix: {
    style: { chunkSize: 128, isCompressed: true, repeated: 'none' },
    connect: {
      flashVer: 'FMLE/3.0 (compatible; Larix/1.0)',
      audioCodecs: 0x0400,
      videoCodecs: 0x0080,
      objectEncoding: 0,
    },
    before: [],
    saysLive: false,
    chunkStreams: { audio: 20, video: 70, script: 4 },
    after: [],
  },
  /** Flash: AMF3 messages, bandwidth asked for. */
  flash: {
    style: { ...FULL, chunkSize: 1024 },
    connect: { flashVer: 'WIN 32,0,0,465', objectEncoding: 3, videoFunction: 1, pageUrl: 'http://example.com/' },
    before: ['_checkbw'],
    saysLive: true,
    chunkStreams: { audio: 5, video: 6, script: 4 },
    after: ['closeStream'],
    isAmf3: true,
  },
  /** Encoders in hardware that wait for nothing. */
  box: {
    style: { ...FULL, chunkSize: 512, repeated: 'absolute', isCompressed: true },
    connect: { flashVer: 'LNX 9,0,124,2' },
    before: ['FCPublish'],
    saysLive: true,
    chunkStreams: { audio: 6, video: 7, script: 8 },
    after: ['deleteStream'],
    isBlind: true,
  },
} as const satisfies Record<string, PublisherKind>;

/** A command of the server. */
export interface ServerCommand {
  readonly name: string;
  readonly args: readonly Amf0Value[];
}

/** Publishes to an RTMP port as some program does. */
export class RtmpPublisher {
  readonly socket: Socket;
  readonly #kind: PublisherKind;
  readonly #chunks: TestChunks;
  readonly #reader: ChunkReader;
  #answer = Buffer.alloc(0);
  #isShaken = false;
  #transaction = 0;
  /** What the server has said. */
  readonly commands: ServerCommand[] = [];
  /** Control messages of the server, by type. */
  readonly controls: { readonly type: number; readonly payload: Buffer }[] = [];
  isClosed = false;

  private constructor(socket: Socket, kind: PublisherKind) {
    this.socket = socket;
    this.#kind = kind;
    this.#chunks = new TestChunks({ ...kind.style, chunkSize: 128 });
    this.#reader = new ChunkReader(1 << 20, ({ type, payload }) => {
      if (type === 20) this.commands.push(readCommand(payload));
      else {
        if (type === 1) this.#reader.chunkSize = payload.readUInt32BE(0);
        this.controls.push({ type, payload: Buffer.from(payload) });
      }
    });
    socket.on('data', bytes => this.#receive(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Connects and shakes hands. */
  static async connect(port: number, kind: PublisherKind = PUBLISHERS.obs, ca?: string): Promise<RtmpPublisher> {
    const place = { host: '127.0.0.1', port };
    const socket = ca === undefined ? connectTcp(place) : connectTls({ ...place, ca, servername: 'localhost' });
    await once(socket, ca === undefined ? 'connect' : 'secureConnect');
    const publisher = new RtmpPublisher(socket, kind);
    const c1 = Buffer.alloc(1536, 0x5a);
    c1.fill(0, 0, 8);
    socket.write(Buffer.concat([Buffer.from([3]), c1]));
    await until('S0, S1, S2', () => publisher.#isShaken || publisher.isClosed);
    socket.write(Buffer.alloc(1536, 0x5a));
    return publisher;
  }

  /** Connects and publishes `app`/`name`; resolves when the server lets it in or turns it away. */
  static async publish(port: number, stream: string, kind: PublisherKind = PUBLISHERS.obs, ca?: string) {
    const publisher = await RtmpPublisher.connect(port, kind, ca);
    const at = stream.indexOf('/');
    await publisher.start(stream.slice(0, at), stream.slice(at + 1));
    return publisher;
  }

  /** From `connect` to `publish`. */
  async start(app: string, name: string): Promise<void> {
    const { isBlind = false, before, saysLive, connect, style } = this.#kind;
    const wait = async (what: string) => {
      if (!isBlind) await until(what, () => this.isClosed || this.commands.some(each => each.name === what));
    };
    this.setChunkSize(style.chunkSize);
    this.command('connect', { app, tcUrl: `rtmp://127.0.0.1/${app}`, ...connect });
    await wait('_result');
    for (const command of before) this.command(command, null, ...(command === '_checkbw' ? [] : [name]));
    this.commands.length = 0;
    this.command('createStream', null);
    await wait('_result');
    this.command('publish', null, name, ...(saysLive ? ['live'] : []));
    await wait('onStatus');
  }

  /** Codes of the `onStatus` commands that have come. */
  get statuses(): string[] {
    return this.commands
      .filter(({ name }) => name === 'onStatus')
      .map(({ args }) => String((args[1] as ReadonlyMap<string, Amf0Value>).get('code')));
  }

  get isPublishing(): boolean {
    return this.statuses.includes('NetStream.Publish.Start');
  }

  setChunkSize(size: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(size);
    this.message(2, 1, 0, payload);
    this.#chunks.style = { ...this.#chunks.style, chunkSize: size };
  }

  command(name: string, ...args: readonly Amf0Input[]): void {
    const writer = new Amf0Writer().string(name).number(++this.#transaction);
    for (const arg of args) writer.value(arg);
    const payload = Buffer.from(writer.finish());
    if (this.#kind.isAmf3) this.message(3, 17, 0, Buffer.concat([Buffer.from([0]), payload]));
    else this.message(3, 20, 0, payload);
  }

  /** Sends audio, video or a script. */
  media(type: 8 | 9 | 18, timestamp: number, payload: Uint8Array): void {
    const { audio, video, script } = this.#kind.chunkStreams;
    this.message(type === 8 ? audio : type === 9 ? video : script, type, timestamp, Buffer.from(payload));
  }

  message(chunkStream: number, type: number, timestamp: number, payload: Buffer): void {
    const streamId = type === 8 || type === 9 || type === 18 || type === 22 ? 1 : 0;
    this.write(Buffer.concat(this.#chunks.write({ chunkStream, type, timestamp: timestamp >>> 0, streamId, payload })));
  }

  /** Bytes as they are. */
  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Ends as the program does: with its goodbyes, or none. */
  async stop(): Promise<void> {
    for (const name of this.#kind.after) this.command(name, null, 'cam');
    this.socket.end();
    await this.closed();
  }

  /** Breaks off without a word. */
  break(): void {
    this.socket.resetAndDestroy();
  }

  /** Resolves when the connection is closed. */
  async closed(): Promise<void> {
    await until('a closed connection', () => this.isClosed);
  }

  #receive(bytes: Buffer): void {
    if (this.#isShaken) {
      this.#reader.read(bytes);
      return;
    }
    this.#answer = Buffer.concat([this.#answer, bytes]);
    if (this.#answer.length < 1 + 2 * 1536) return;
    this.#isShaken = true;
    this.#reader.read(this.#answer.subarray(1 + 2 * 1536));
  }
}

/** `onMetaData` as publishers send it. */
export function metadata(properties: Readonly<Record<string, Amf0Input>>, isWrapped = true): Buffer {
  const writer = new Amf0Writer();
  if (isWrapped) writer.string('@setDataFrame');
  writer.string('onMetaData').ecmaArray(Object.keys(properties).length);
  for (const [name, value] of Object.entries(properties)) writer.name(name).value(value);
  return Buffer.from(writer.end().finish());
}
