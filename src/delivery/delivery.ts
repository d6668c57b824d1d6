import { BLOCK_SIZE } from '../base/block.js';
import type { CacheOutcome } from '../base/cache-outcome.js';
import { EdgeError } from '../base/errors.js';
import { type Due, loopTurns } from '../base/loop-turns.js';
import type { BlockReader, ReaderListener } from '../cache/read/block-reader.js';
import { firstSource } from '../virtual-file/first-source.js';
import { sourceAt } from '../virtual-file/gathered.js';
import { openSection } from '../virtual-file/sections.js';
import type { GatheredSpan, SectionedSpan, Span } from '../virtual-file/span.js';
import { Backpressure, type Writer } from './backpressure.js';
import { gather, goesAlone, goesScattered, isLargeLiteral, readChecked } from './gather.js';
import type { AnswerPace } from './pace.js';
import type { Paced } from './pacer.js';
import type { Scatter } from './scatter.js';
import type { StallSweep } from './sweep.js';
import type { Transport } from './transport.js';

/** Most bytes of one turn, after which other responses have theirs even when this socket would take more. */
const TURN_BYTES = 2 * 1024 * 1024;

/**
 * When fewer bytes than this are left of an answer at the end of a turn, they are sent in the same turn: sent by
 * themselves they could stay in the transport's own buffer, and nothing would tell whether the socket took them.
 */
const SMALL = 32 * 1024;

/** What all deliveries of a process share. */
export interface DeliveryContext {
  readonly sweep: StallSweep;
  readonly stats: DeliveryStats;
}

/** Counters of deliveries. */
export interface DeliveryStats {
  /** Bytes of bodies that sockets have taken. */
  responseBytes: number;
  /** Responses cut because their socket took no byte for the stall timeout. */
  stallTimeouts: number;
}

/** Told of the course of a delivery. */
export interface DeliveryListener {
  /**
   * Status and fields are to be written, the first body byte follows. Called once, inside cork.
   * @param outcome where the first block came from; undefined when no byte of the source is needed
   */
  begin(outcome: CacheOutcome | undefined): void;
  /** The answer can't end well; `begin` may have been called. */
  failed(error: unknown): void;
  /** The socket has taken the last byte; the transport must not be used any more. */
  ended(): void;
}

/**
 * Sends one run of bytes of a virtual file: pulls the spans through one reader, and hands views of blocks to the
 * socket. Nothing is kept of them, and nothing is pinned between two turns. The first source byte is waited for before
 * the listener writes the head, so that a failure still has its status and the head says truly where the block came
 * from.
 */
export class Delivery implements ReaderListener, Writer, Paced, Due {
  /** Bytes of the body that the socket has taken. */
  sent = 0;
  readonly #transport: Transport;
  readonly #reader: BlockReader;
  /** Sections are replaced by what they are made of, when they are reached. */
  #spans: readonly Span[];
  readonly #total: number;
  readonly #listener: DeliveryListener;
  readonly #context: DeliveryContext;
  readonly #scatter: Scatter | undefined;
  /** Made when the first turn does not do it all. */
  #backpressure: Backpressure | undefined;
  /** Span at hand, and the byte within it that is next. */
  #index = 0;
  #at = 0;
  #begun = false;
  /** A section is being made. */
  #making = false;
  /** How fast it goes; undefined for as fast as the socket takes it. */
  readonly #pace: AnswerPace | undefined;
  /** Most bytes of several blocks for one send: about what the socket may take. */
  #laidMost = TURN_BYTES;
  /** Bytes of the answer that may be sent in the turn at hand. */
  #limit: number;
  #over = false;

  /**
   * @param reader is closed when the delivery is over
   * @param spans of the file
   * @param from first byte of the file to send, `0 <= from`
   * @param total bytes to send, at least 1; they must lie within the spans
   * @param scatter of the transport, where it has one
   * @param pace of the answer, where it has one
   */
  constructor(
    transport: Transport,
    reader: BlockReader,
    spans: readonly Span[],
    from: number,
    total: number,
    listener: DeliveryListener,
    context: DeliveryContext,
    scatter?: Scatter,
    pace?: AnswerPace,
  ) {
    this.#pace = pace;
    this.#limit = total;
    this.#transport = transport;
    this.#scatter = scatter;
    this.#reader = reader;
    this.#spans = spans;
    this.#total = total;
    this.#listener = listener;
    this.#context = context;
    this.#advance(from);
  }

  /**
   * Sends what can be sent at once; to be called inside cork. Goes on by itself.
   * @returns whether the delivery is over
   */
  start(): boolean {
    this.#pump();
    return this.#over;
  }

  /** Ends the delivery where it is. The transport is not used any more, the listener hears nothing. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#pace?.close();
    this.#backpressure?.close();
    this.#reader.close();
  }

  readable(): void {
    if (!this.#over) loopTurns.due(this);
  }

  goOn(): void {
    this.#turn();
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.close();
    this.#listener.failed(error);
  }

  paced(): void {
    this.#turn();
  }

  writable(): void {
    if (!this.#over) this.#pump();
  }

  attempt(): boolean {
    const before = this.sent;
    this.#turn();
    return this.sent > before;
  }

  stalled(): void {
    this.#context.stats.stallTimeouts++;
  }

  /** A turn that was not begun by the socket, and so has no cork around it yet. */
  #turn(): void {
    if (!this.#over) this.#transport.cork(() => this.#pump());
  }

  #pump(): void {
    const before = this.sent;
    let isComplete = false;
    if (this.#pace !== undefined) this.#limit = this.#allowed(this.#pace);
    try {
      if (!this.#begun && !this.#peek()) return;
      isComplete = this.#sendAll(before);
    } catch (error) {
      this.failed(error);
      return;
    }
    if (isComplete) {
      this.close();
      this.#listener.ended();
    } else if (this.#begun) {
      this.#backpressure ??= new Backpressure(this.#transport, this.#context.sweep, this);
      this.#backpressure.await(this.sent > before);
    }
  }

  /** Sends until the turn is over; true when the last byte has been sent. */
  #sendAll(before: number): boolean {
    while (this.sent < this.#total) {
      if (this.sent >= this.#limit) {
        this.#pace!.wait(this, this.#total - this.sent);
        return false;
      }
      if (!this.#send()) return false;
      const left = this.#total - this.sent;
      if (this.sent - before >= TURN_BYTES && left > SMALL) {
        setImmediate(() => this.#turn());
        return false;
      }
    }
    return true;
  }

  /** Sends bytes; false when the turn is over: the socket is full, or bytes are wanted. */
  #send(): boolean {
    const span = this.#spans[this.#index]!;
    if (span.kind === 'sectioned') return this.#open(span);
    const remaining = this.#limit - this.sent;
    const left = Math.min(span.length - this.#at, remaining);
    if (goesAlone(span, left, left === remaining)) return this.#sendBlock(span.offset + this.#at, left);
    if (isLargeLiteral(span, left)) return this.#write(span.bytes.subarray(this.#at, this.#at + left));
    if (this.#scatter !== undefined && goesScattered(span, left)) {
      const taken = this.#sendPieces(span, left, this.#scatter);
      if (taken !== undefined) return taken;
    }
    const scatters = this.#scatter !== undefined;
    const piece = gather(this.#reader, this.#spans, this.#index, this.#at, remaining, scatters);
    if (piece instanceof Uint8Array) return this.#write(piece);
    this.#reader.want(piece.offset, piece.end, this);
    return false;
  }

  /** How far the answer may come in a turn. A small rest is not worth another one. */
  #allowed(pace: AnswerPace): number {
    const left = this.#total - this.sent;
    const allowance = pace.allowance(left);
    return left - allowance <= SMALL && allowance > 0 ? this.#total : this.sent + allowance;
  }

  /** Has the section at hand made; false when that takes longer than this turn. */
  #open(span: SectionedSpan): boolean {
    if (this.#making) return false;
    const opened = openSection(span, this.#at);
    if (!(opened instanceof Promise)) {
      this.#replace(opened);
      return true;
    }
    this.#making = true;
    opened.then(
      spans => {
        this.#making = false;
        this.#replace(spans);
        this.#turn();
      },
      error => this.failed(error),
    );
    return false;
  }

  /** Puts what has been made of a section in its place. */
  #replace(spans: readonly Span[]): void {
    this.#spans = [...spans, ...this.#spans.slice(this.#index + 1)];
    this.#index = 0;
    this.#at = 0;
  }

  #sendBlock(offset: number, left: number): boolean {
    if (this.#scatter !== undefined && (offset % BLOCK_SIZE) + left > BLOCK_SIZE) {
      const taken = this.#sendBlocks(offset, left, this.#scatter);
      if (taken !== undefined) return taken;
    }
    const chunk = readChecked(this.#reader, offset, offset + left);
    if (chunk === undefined) {
      this.#reader.want(offset, offset + left, this);
      return false;
    }
    try {
      return this.#write(chunk);
    } finally {
      this.#reader.release();
    }
  }

  /** Sends what lies in blocks one after the other; undefined when there is too little at hand. */
  #sendBlocks(offset: number, left: number, scatter: Scatter): boolean | undefined {
    const most = Math.min(left, this.#laidMost);
    const count = this.#reader.layOut?.(offset, offset + left, most) ?? 0;
    if (count === 0) return undefined;
    const before = this.sent;
    try {
      if (count > most) throw new EdgeError('internal', `a block reader laid out ${count} bytes, expected ${most}`);
      const bytes = scatter.laidOut(count);
      return bytes && this.#write(bytes);
    } finally {
      const taken = this.sent - before;
      this.#reader.release(taken);
      // Blocks that the socket does not take are not looked up for nothing each time.
      this.#laidMost = taken < count ? taken + BLOCK_SIZE : Math.min(TURN_BYTES, 2 * this.#laidMost);
    }
  }

  /** Sends the pieces that lie in the block at hand from there; undefined when there is too little of them in it. */
  #sendPieces(span: GatheredSpan, left: number, scatter: Scatter): boolean | undefined {
    const offset = sourceAt(span, this.#at);
    const end = sourceAt(span, this.#at + left - 1) + 1;
    const run = readChecked(this.#reader, offset, end);
    if (run === undefined) {
      this.#reader.want(offset, end, this);
      return false;
    }
    try {
      const pieces = scatter.standIn(span, span.from + this.#at, run, offset, left);
      return pieces && this.#write(pieces);
    } finally {
      scatter.forget();
      this.#reader.release();
    }
  }

  /**
   * Writes the head as soon as it can be known: true when the first source byte of the answer is at hand, or none is
   * needed.
   */
  #peek(): boolean {
    const reached = this.#spans[this.#index]!;
    if (reached.kind === 'sectioned' && !this.#open(reached)) return false;
    const span = this.#spans[this.#index]!;
    const left = Math.min(span.length - this.#at, this.#total);
    // The first block is then read by the sending itself.
    if (goesAlone(span, left, left === this.#total)) return true;
    const first = firstSource(this.#spans.slice(this.#index), this.#at, this.#total);
    if (first === undefined) {
      this.#begin(undefined);
      return true;
    }
    if (readChecked(this.#reader, first.offset, first.end) === undefined) {
      this.#reader.want(first.offset, first.end, this);
      return false;
    }
    this.#reader.release();
    this.#begin(this.#reader.outcome);
    return true;
  }

  #begin(outcome: CacheOutcome | undefined): void {
    this.#begun = true;
    this.#listener.begin(outcome);
  }

  #write(chunk: Uint8Array): boolean {
    if (!this.#begun) this.#begin(this.#reader.outcome);
    const taken = this.#transport.tryEnd(chunk, this.#total)[0];
    const count = taken ? chunk.length : this.#transport.getWriteOffset() - this.sent;
    this.sent += count;
    this.#context.stats.responseBytes += count;
    this.#pace?.spend(count);
    this.#advance(count);
    return taken;
  }

  #advance(count: number): void {
    this.#at += count;
    while (this.#index < this.#spans.length && this.#at >= this.#spans[this.#index]!.length) {
      this.#at -= this.#spans[this.#index++]!.length;
    }
  }
}
