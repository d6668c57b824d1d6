import type { Amf0Input } from '../../media/flv/amf0.js';
import { eachOfAggregate } from './aggregate.js';
import { ChunkReader } from './chunk-reader.js';
import { COMMAND_CHUNKS, CONTROL_CHUNKS, controlNumber, writeMessage } from './chunk-writer.js';
import { type RtmpCommand, readCommand, writeCommand } from './command.js';
import { Handshake, type HandshakeKind } from './handshake.js';
import { MESSAGE, type RtmpMessage } from './message.js';
import { RtmpError } from './rtmp-error.js';

/** Bytes after which each side acknowledges what has come, unless the peer asks for another number. */
const WINDOW = 2_500_000;
/** Least window that is acknowledged: one of a byte would have as much sent as comes. */
const WINDOW_MIN = 16 * 1024;
/** Size of the chunks that we send. */
const CHUNK_SIZE = 4096;
/** Who decides on the peer's bandwidth: the one who needs less (section 5.4.5). */
const DYNAMIC = 2;
const [STREAM_BEGIN, PING_REQUEST, PING_RESPONSE] = [0, 6, 7];
/** First byte of AMF3 messages: the values that follow are AMF0. */
const AMF0_FOLLOWS = 0;
/** Marker of text in AMF0. */
const AMF0_TEXT = 2;

/** What an RTMP connection is about. May throw RtmpError to end it. */
export interface RtmpHandler {
  /** @param streamId number of the message stream */
  command(command: RtmpCommand, streamId: number): void;
  /** Audio, video or a script (type 18, AMF0); `payload` is valid until it returns. */
  media(type: 8 | 9 | 18, timestamp: number, payload: Buffer): void;
}

/** The protocol of one connection, without its socket. */
export class RtmpSession {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #handler: RtmpHandler;
  readonly #handshake: Handshake;
  readonly #reader: ChunkReader;
  /** What has come while the reader was held. */
  #rest: Uint8Array[] = [];
  #isHeld = false;
  #chunkSize = 128;
  #window = WINDOW;
  /** Bytes that have come, and those of them that the peer has been told of. */
  received = 0;
  #acknowledged = 0;

  constructor(send: (bytes: Uint8Array) => void, handler: RtmpHandler, messageMax: number) {
    this.#send = send;
    this.#handler = handler;
    this.#handshake = new Handshake(send);
    this.#reader = new ChunkReader(messageMax, message => this.#take(message));
  }

  /** How the peer shook hands; undefined until it has begun to. */
  get handshake(): HandshakeKind | undefined {
    return this.#handshake.kind;
  }

  /** Most bytes of a message. */
  set messageMax(bytes: number) {
    this.#reader.messageMax = bytes;
  }

  /**
   * Reads what has come.
   * @throws RtmpError when the connection can't go on
   */
  receive(bytes: Uint8Array): void {
    this.received += bytes.length;
    const at = this.#handshake.isDone ? 0 : this.#handshake.read(bytes);
    this.#read(at === 0 ? bytes : bytes.subarray(at));
    // Half a window ahead: a peer that has sent a whole one waits.
    if (this.received - this.#acknowledged >= this.#window / 2) {
      this.#acknowledged = this.received;
      this.#control(MESSAGE.acknowledgement, controlNumber(this.received % 2 ** 32));
    }
  }

  /** Handles no further message until `release`; called by the handler. */
  hold(): void {
    this.#isHeld = true;
    this.#reader.hold();
  }

  /** Goes on with what has come meanwhile. @throws RtmpError */
  release(): void {
    this.#isHeld = false;
    this.#reader.release();
    const rest = this.#rest;
    this.#rest = [];
    this.#read(Buffer.concat(rest));
  }

  /** Says how we are: window, bandwidth, size of our chunks. */
  introduce(): void {
    this.#control(MESSAGE.windowSize, controlNumber(WINDOW));
    this.#control(MESSAGE.peerBandwidth, Buffer.concat([controlNumber(WINDOW), Uint8Array.of(DYNAMIC)]));
    this.#control(MESSAGE.setChunkSize, controlNumber(CHUNK_SIZE));
    this.#chunkSize = CHUNK_SIZE;
  }

  sendCommand(streamId: number, name: string, transaction: number, ...args: readonly Amf0Input[]): void {
    const payload = writeCommand(name, transaction, ...args);
    this.#send(writeMessage(COMMAND_CHUNKS, MESSAGE.commandAmf0, streamId, payload, this.#chunkSize));
  }

  sendStreamBegin(streamId: number): void {
    this.#userControl(STREAM_BEGIN, controlNumber(streamId));
  }

  /** Asks whether the peer is there. @param time milliseconds, which come back */
  sendPing(time: number): void {
    this.#userControl(PING_REQUEST, controlNumber(time % 2 ** 32));
  }

  #read(bytes: Uint8Array): void {
    if (this.#isHeld) {
      this.#rest.push(bytes);
      return;
    }
    const taken = this.#reader.read(bytes);
    if (taken < bytes.length) this.#rest.push(bytes.subarray(taken));
  }

  #take(message: RtmpMessage): void {
    const { type, payload, streamId, timestamp } = message;
    switch (type) {
      case MESSAGE.audio:
      case MESSAGE.video:
      case MESSAGE.dataAmf0:
        this.#handler.media(type, timestamp, payload);
        break;
      case MESSAGE.dataAmf3:
        this.#handler.media(MESSAGE.dataAmf0, timestamp, withoutSelector(payload));
        break;
      case MESSAGE.commandAmf0:
        this.#handler.command(readCommand(payload), streamId);
        break;
      case MESSAGE.commandAmf3:
        this.#handler.command(readCommand(withoutSelector(payload)), streamId);
        break;
      case MESSAGE.aggregate:
        eachOfAggregate(message, part => this.#handler.media(part.type, part.timestamp, part.payload));
        break;
      case MESSAGE.setChunkSize:
        this.#reader.chunkSize = numberOf(payload);
        break;
      case MESSAGE.abort:
        this.#reader.abort(numberOf(payload));
        break;
      case MESSAGE.windowSize:
        this.#window = Math.max(WINDOW_MIN, numberOf(payload));
        break;
      case MESSAGE.userControl:
        if (payload.length >= 6 && payload.readUInt16BE(0) === PING_REQUEST) {
          this.#userControl(PING_RESPONSE, payload.subarray(2, 6));
        }
        break;
      // Acknowledgements, bandwidth, shared objects, and what nobody has named yet.
      default:
    }
  }

  #userControl(event: number, data: Uint8Array): void {
    this.#control(MESSAGE.userControl, Buffer.concat([Uint8Array.of(0, event), data]));
  }

  #control(type: number, payload: Uint8Array): void {
    this.#send(writeMessage(CONTROL_CHUNKS, type, 0, payload, this.#chunkSize));
  }
}

/** An AMF3 message begins with a selector, which some clients leave out. */
function withoutSelector(payload: Buffer): Buffer {
  return payload[0] === AMF0_FOLLOWS && payload[1] === AMF0_TEXT ? payload.subarray(1) : payload;
}

function numberOf(payload: Buffer): number {
  if (payload.length < 4)
    throw new RtmpError('protocol', `expected a control message of 4 bytes, found ${payload.length}`);
  return payload.readUInt32BE(0);
}
