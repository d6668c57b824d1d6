import type { Amf0Value } from '../../media/flv/amf0.js';
import type { RtmpCommand } from '../rtmp/command.js';
import { RtmpError } from '../rtmp/rtmp-error.js';
import { type RtmpHandler, RtmpSession } from '../rtmp/session.js';
import { CAPABILITIES, canReconnect } from './capabilities.js';
import type { Publication } from './publication.js';
import { readStreamName, type StreamRequest } from './stream-name.js';

/** Most bytes of a message before somebody is let in, and afterwards. */
const MESSAGE_BEFORE = 64 * 1024;
const MESSAGE_MAX = 8 * 1024 * 1024;
/** Most message streams of a connection; encoders make one or two. */
const STREAMS_MAX = 16;

/** What a publisher's connection asks of its server. */
export interface PublisherServer {
  /** Bytes for the peer. */
  send(bytes: Uint8Array): void;
  /** Decides about a publisher. Rejects with RtmpError when it may not. */
  admit(request: StreamRequest): Promise<Publication>;
  /** The publisher has said that it has finished; it may publish again, or close. */
  finished(message: string): void;
  /** The connection can't go on, for a reason that came up beside what it sent. */
  fail(error: unknown): void;
}

/** One publisher: the commands of its connection, and the media behind them. */
export class Publisher implements RtmpHandler {
  readonly #server: PublisherServer;
  readonly #session: RtmpSession;
  #connect: ReadonlyMap<string, Amf0Value> | undefined;
  #lastStream = 0;
  /** Message stream on which it publishes. */
  #streamId = 0;
  #publication: Publication | undefined;
  /** What it publishes, or wants to. */
  request: StreamRequest | undefined;

  constructor(server: PublisherServer) {
    this.#server = server;
    this.#session = new RtmpSession(bytes => server.send(bytes), this, MESSAGE_BEFORE);
  }

  /** Bytes that have come. */
  get received(): number {
    return this.#session.received;
  }

  get isPublishing(): boolean {
    return this.#publication !== undefined;
  }

  /** What its program calls itself. */
  get program(): string | undefined {
    return textOf(this.#connect?.get('flashVer'))
      ?.slice(0, 100)
      .replace(/[^\x20-\x7e]/g, '?');
  }

  /** @throws RtmpError when the connection can't go on, or has come to its end */
  receive(bytes: Uint8Array): void {
    this.#session.receive(bytes);
  }

  /** Asks whether the other end is there. */
  ping(time: number): void {
    if (this.#connect !== undefined) this.#session.sendPing(time);
  }

  /** Asks the client to come back by another connection, when it knows how. @returns whether it does */
  requestReconnect(): boolean {
    if (!canReconnect(this.#connect)) return false;
    const info = {
      level: 'status',
      code: 'NetConnection.Connect.ReconnectRequest',
      description: 'The server restarts',
    };
    this.#session.sendCommand(0, 'onStatus', 0, null, info);
    return true;
  }

  /** Tells the client why it can't publish, or does so no more. Text in ASCII. */
  refuse(code: string, description: string): void {
    if (this.#connect === undefined) return;
    this.#session.sendCommand(this.#streamId, 'onStatus', 0, null, { level: 'error', code, description });
  }

  command({ name, transaction, args }: RtmpCommand, streamId: number): void {
    if (name === 'connect') {
      this.#onConnect(transaction, args[0]);
      return;
    }
    if (this.#connect === undefined)
      throw new RtmpError('protocol', `expected connect first, found the command ${shown(name)}`);
    switch (name) {
      case 'createStream':
        if (this.#lastStream === STREAMS_MAX)
          throw new RtmpError('limit', `expected at most ${STREAMS_MAX} message streams`);
        this.#session.sendCommand(0, '_result', transaction, null, ++this.#lastStream);
        break;
      case 'releaseStream':
      case '_checkbw':
        this.#session.sendCommand(0, '_result', transaction, null);
        break;
      case 'FCPublish':
        this.#session.sendCommand(0, '_result', transaction, null);
        this.#session.sendCommand(0, 'onFCPublish', 0, null, { code: 'NetStream.Publish.Start', description: 'Go on' });
        break;
      case 'publish':
        this.#onPublish(streamId, args[1]);
        break;
      case 'FCUnpublish':
      case 'deleteStream':
      case 'closeStream':
        this.#onEnd(transaction, name, streamId);
        break;
      case 'play':
      case 'play2':
        throw new RtmpError('refused', 'expected a publisher: viewers get streams by HTTP');
      // What encoders say beside, such as getStreamLength, setDataFrame or a call of their own.
      default:
    }
  }

  media(type: 8 | 9 | 18, timestamp: number, payload: Buffer): void {
    // Nothing is kept of those who have not been let in.
    this.#publication?.take(type, timestamp, payload);
  }

  #onConnect(transaction: number, object: Amf0Value | undefined): void {
    if (this.#connect !== undefined) throw new RtmpError('protocol', 'expected one connect, found another');
    this.#connect = object instanceof Map ? object : new Map();
    const info = {
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connected',
      objectEncoding: this.#connect.get('objectEncoding') === 3 ? 3 : 0,
    };
    this.#session.introduce();
    this.#session.sendCommand(
      0,
      '_result',
      transaction,
      { fmsVer: 'FMS/3,5,7,7009', capabilities: 31, ...CAPABILITIES },
      info,
    );
  }

  #onPublish(streamId: number, name: Amf0Value | undefined): void {
    if (this.request !== undefined)
      throw new RtmpError('protocol', 'expected one stream on a connection, found another');
    this.#streamId = streamId;
    const app = textOf(this.#connect?.get('app')) ?? '';
    this.request = readStreamName(app, textOf(name) ?? '');
    if (this.request === undefined) {
      throw new RtmpError('refused', 'expected a stream APP/NAME of letters, digits, dots, dashes and underscores');
    }
    // What it sends meanwhile stays where it is.
    this.#session.hold();
    this.#server.admit(this.request).then(
      publication => this.#start(publication),
      error => this.#server.fail(error),
    );
  }

  #start(publication: Publication): void {
    this.#publication = publication;
    this.#session.messageMax = MESSAGE_MAX;
    this.#session.sendStreamBegin(this.#streamId);
    const info = { level: 'status', code: 'NetStream.Publish.Start', description: 'Publishing' };
    this.#session.sendCommand(this.#streamId, 'onStatus', 0, null, info);
    try {
      this.#session.release();
    } catch (error) {
      this.#server.fail(error);
    }
  }

  #onEnd(transaction: number, name: string, streamId: number): void {
    if (this.#publication === undefined) return;
    if (name === 'FCUnpublish') this.#session.sendCommand(0, 'onFCUnpublish', 0, null);
    const info = { level: 'status', code: 'NetStream.Unpublish.Success', description: 'Finished' };
    this.#session.sendCommand(streamId, 'onStatus', 0, null, info);
    if (transaction > 0) this.#session.sendCommand(0, '_result', transaction, null);
    this.#server.finished(`the publisher said ${name}`);
    this.#publication = undefined;
    this.request = undefined;
    this.#session.messageMax = MESSAGE_BEFORE;
  }
}

function textOf(value: Amf0Value | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A name out of a command, for the log. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
