import type { OnReadOpts, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { loopTurns } from '../../base/loop-turns.js';
import { type FramedHead, frameHead } from './framed-head.js';

/** Bytes that one read of a socket takes at most: a block. */
const READ_SIZE = 256 * 1024;
/**
 * What one read takes where bytes may be received to where they are kept: a head, and the beginning of its body. All
 * else that has come is read by the taker of the body.
 */
const HEAD_READ_SIZE = 16 * 1024;
/** Bytes that a parser is given at a time while it may keep them: heads are short. */
const KEPT_SIZE = 4096;
const NOTHING = Buffer.alloc(0);
/** The one byte of body that a parser waits for when the body goes past it. */
const OWED = Buffer.alloc(1);
/** The beginning of an interim answer, its length, and where the status stands in it. */
const INTERIM = /^HTTP\/1\.[01] 1\d\d$/;
const INTERIM_SIZE = 12;
const STATUS = 9;

/**
 * What all sockets are read into: memory per read would cost more, by way of the garbage collector, than all else that
 * is done with the bytes.
 */
const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
const headBuffer = buffer.subarray(0, HEAD_READ_SIZE);
/** What the socket at hand is read into next. */
let nextBuffer = headBuffer;
const socketReaders = new WeakMap<Socket, SocketReader>();

/** Has a socket read through its socketReader: the `onread` of `net.connect` and `tls.connect`. */
export const READING: OnReadOpts = {
  buffer: () => nextBuffer,
  callback(this: Socket, bytes: number) {
    nextBuffer = headBuffer;
    const socketReader = socketReaders.get(this);
    // Nobody speaks before a connection is made.
    if (socketReader === undefined) this.destroy(new Error('bytes came before the connection was made'));
    const readsOn = socketReader?.received(bytes) ?? false;
    if (socketReader !== undefined && loopTurns.isOver) restUntilNextTurn(socketReader);
    if (socketReader?.readsMuch) nextBuffer = buffer;
    return readsOn;
  },
};

/** Those that have received, the last one last. */
const received = new Set<SocketReader>();
let isResting = false;

/**
 * Nothing more is read in this turn of the loop, so that many answers of origins don't keep others waiting.
 * @param last the one that has received just now, and would go on
 */
function restUntilNextTurn(last: SocketReader): void {
  if (isResting) return;
  isResting = true;
  const rested: SocketReader[] = [];
  for (const reader of received) {
    // The others of this turn have had theirs.
    if (reader.turn === loopTurns.turn) break;
    if (reader.rest()) rested.push(reader);
  }
  if (last.rest()) rested.push(last);
  setImmediate(() => {
    isResting = false;
    for (const reader of rested) reader.wake();
  });
}

/**
 * Makes each 100 (Continue) before the answer a 102: undici passes over all interim answers (RFC 9110 section 15.2) but
 * that, which it takes for an error where nobody has asked for it.
 * @param chunk memory of its own, which begins with a head
 */
function passOverContinue(chunk: Buffer): void {
  for (let at = 0; INTERIM.test(chunk.toString('latin1', at, at + INTERIM_SIZE)); ) {
    if (chunk.toString('latin1', at + STATUS, at + STATUS + 3) === '100') chunk.write('102', at + STATUS, 'latin1');
    const end = chunk.indexOf('\r\n\r\n', at);
    if (end < 0) return;
    at = end + 4;
  }
}

/** Takes a body that goes past the parser. */
export interface BodyTaker {
  /** Bytes of the body; valid until it returns. */
  body(chunk: Uint8Array): void;
  /** As `OriginSink.receive`. */
  receive(socket: number, most: number): Uint8Array | undefined;
}

/**
 * Between a socket and undici's parser: gives the parser bytes without memory of their own, and holds them back.
 * undici's own pausing lets an assertion fail outside of any handler when the peer closes a connection whose parser is
 * paused, which would end the process; here the parser is never paused, it only finds nothing to read.
 *
 * The parser copies what it is given. So of an answer whose length is known it gets the head alone, which is made to
 * say that one byte follows, and that byte when all of the body has gone to who takes it. Whatever ends the connection
 * before meets a parser that waits for its byte, and a body that is too long one that expects no more.
 */
export class SocketReader {
  #shut = false;
  /** The socket is not read from. */
  #stopped = false;
  readonly #socket: Socket;
  /** Descriptor by which bytes may be received past the socket; -1 where they are encrypted, or it is not known. */
  readonly #descriptor: number;
  /** More is read at a time than a head: of a body that is read here. */
  readsMuch = false;
  /** What has been read and not taken: in `buffer` while that is so, otherwise in memory of its own. */
  #unread = NOTHING;
  #inBuffer = false;
  /**
   * True while the parser keeps nothing of what it is given, which is so in a body. Of a head it keeps the fields until
   * it has seen the last one.
   */
  lends = false;
  /** True while the head of an answer is still to come. */
  #awaitsHead = false;
  /** True when nothing of the answer has been given to the parser. */
  #isFresh = false;
  /** The head of the answer at hand, when its body goes past the parser to `#taker`. */
  framed: FramedHead | undefined;
  #taker: BodyTaker | undefined;
  /** Bytes that are still to go past the parser, and whether it is to get its one byte now. */
  #past = 0;
  #owes = false;
  /**
   * Set when the socket broke: undici takes a reset for the end of a body that is delimited by the end of the
   * connection.
   */
  broken: Error | undefined;
  /** Exchanges that the socket has carried. */
  uses = 0;
  /** Turn of the loop in which it has received last. */
  turn = 0;
  #isResting = false;

  /** @param socket that was made with `READING` */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#descriptor = socket instanceof TLSSocket ? -1 : descriptorOf(socket);
    socketReaders.set(socket, this);
    const read = socket.read.bind(socket);
    // Node itself reads with a size of 0, undici with none.
    socket.read = (size?: number) => (size === undefined ? this.#take() : read(size));
    socket.prependListener('error', error => {
      this.broken = error;
    });
    socket.once('close', () => received.delete(this));
  }

  /** Reads nothing until `wake`; false when it reads nothing anyway. */
  rest(): boolean {
    if (this.#stopped || this.#isResting) return false;
    this.#isResting = true;
    this.#socket.pause();
    return true;
  }

  wake(): void {
    this.#isResting = false;
    if (!this.#stopped) this.#socket.resume();
  }

  /** An answer is to come, to a request that is being sent. @param taker of its body, if that goes past the parser */
  awaitHead(taker: BodyTaker): void {
    this.#awaitsHead = true;
    this.#isFresh = true;
    this.#taker = taker;
    this.framed = undefined;
    this.readsMuch = false;
  }

  /** The head of the answer has come. */
  headed(): void {
    this.#awaitsHead = false;
    this.readsMuch = this.framed === undefined;
  }

  shut(): void {
    this.#shut = true;
  }

  /** The parser must not be running: it can't be entered twice. */
  open(): void {
    this.#shut = false;
    if (this.#unread.length > 0) this.#hand();
    else this.#readOn();
  }

  /** Hands on what has been read: to the parser, what goes past it to its taker. */
  #hand(): void {
    const isHead = this.#past === 0;
    if (isHead) this.#socket.emit('readable');
    // What little came with a head goes on in any case, so that the connection is read and its end noticed.
    const most = this.#shut ? (isHead ? KEPT_SIZE : 0) : this.#past;
    if (this.#past > 0 && this.#unread.length > 0 && most > 0 && !this.#socket.destroyed) this.#handPast(most);
  }

  #handPast(most: number): void {
    const chunk = this.#unread.subarray(0, Math.min(most, this.#past));
    this.#unread = this.#unread.subarray(chunk.length);
    this.#past -= chunk.length;
    try {
      this.#taker!.body(chunk);
    } catch (error) {
      // As the parser does with what its callbacks throw: a defect ends one exchange.
      this.#socket.destroy(error as Error);
    }
    if (this.#past > 0) this.#readOn();
    else this.#payOwed();
  }

  /** Gives the parser its byte when the body has gone past it. */
  #payOwed(): void {
    if (this.#socket.destroyed) return;
    this.#owes = true;
    this.#socket.emit('readable');
  }

  /**
   * Has the taker of a body that goes past the parser receive what is still in the socket: up to a block, before the
   * socket itself looks for more.
   */
  #receive(): void {
    if (this.#past === 0 || this.#shut || this.#socket.destroyed) return;
    try {
      const chunk = this.#taker!.receive(this.#descriptor, this.#past);
      this.readsMuch = chunk === undefined;
      if (chunk === undefined || chunk.length === 0) return;
      this.#past -= chunk.length;
      this.#taker!.body(chunk);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
    if (this.#past === 0) this.#payOwed();
  }

  /** The socket has read so many bytes into `buffer`. Returns whether it may read on. */
  received(bytes: number): boolean {
    this.turn = loopTurns.turn;
    received.delete(this);
    received.add(this);
    this.#unread = buffer.subarray(0, bytes);
    this.#inBuffer = true;
    this.#hand();
    this.#inBuffer = false;
    // Behind a shut socketReader one read is kept, so that a connection that ends is noticed.
    this.#stopped = this.#unread.length > 0;
    if (!this.#stopped && bytes >= HEAD_READ_SIZE && this.#descriptor >= 0) this.#receive();
    if (this.#stopped) this.#unread = Buffer.from(this.#unread);
    return !this.#stopped;
  }

  /** What the parser gets next. */
  #take(): Buffer | null {
    if (this.#owes) {
      this.#owes = false;
      return OWED;
    }
    if (this.#shut || this.#past > 0 || this.#unread.length === 0) return null;
    const isLent = this.lends || !this.#inBuffer;
    let chunk = isLent ? this.#unread : Buffer.from(this.#unread.subarray(0, this.#keptSize()));
    if (this.#awaitsHead) chunk = this.#withoutBody(chunk);
    this.#unread = this.#unread.subarray(chunk.length);
    if (this.#unread.length === 0) this.#readOn();
    return chunk;
  }

  /** How much the parser is given at a time while it may keep it: a head alone, since its body may go past. */
  #keptSize(): number {
    if (!this.#awaitsHead) return KEPT_SIZE;
    const end = this.#unread.subarray(0, KEPT_SIZE).indexOf('\r\n\r\n');
    return end < 0 ? KEPT_SIZE : end + 4;
  }

  /** What the parser gets of what may begin with a head. @param chunk memory of its own */
  #withoutBody(chunk: typeof NOTHING): typeof NOTHING {
    this.framed = this.#isFresh ? frameHead(chunk) : undefined;
    this.#isFresh = false;
    if (this.framed === undefined) {
      passOverContinue(chunk);
      return chunk;
    }
    this.#past = this.framed.bodySize;
    return chunk.subarray(0, this.framed.size);
  }

  #readOn(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    if (!this.#isResting) this.#socket.resume();
  }
}

/** Node tells the descriptor by the handle of a socket alone. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } };
  return typeof handle?.fd === 'number' ? handle.fd : -1;
}
