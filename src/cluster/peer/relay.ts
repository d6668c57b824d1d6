import type { EdgeError } from '../../base/errors.js';
import { PEER_FIELD, REFUSED_FIELD } from '../../base/peer-fields.js';
import { endToEnd, hasValidator, parseContentRange, validatorOf } from '../../origin/fields.js';
import { SILENCES_MAX } from '../../origin/http/http-attempt.js';
import type { ExchangeSink } from '../../origin/http/origin-exchange.js';
import type { TransportFailure } from '../../origin/http/transport-failure.js';
import { brokenOff, transportRefusal } from '../../origin/http/transport-refusal.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../../origin/origin.js';
import type { PeerCandidate } from './candidates.js';
import type { CarriedSoFar } from './line/conduit.js';
import type { Carried } from './line/line.js';
import type { PeerExchange } from './line/lines.js';
import type { PeerRefusal, PeerVoucher } from './signature.js';

/** Head of a peer's answer; see `RelayedHead` of the HTTP stage. */
export interface AnswerToRelay {
  readonly status: number;
  readonly fields: Readonly<Record<string, string | string[]>>;
  readonly hasBody: boolean;
  readonly length: number | undefined;
}

/** Takes a peer's answer as it comes; see `RelaySink` of the HTTP stage. */
export interface AnswerSink {
  answered(head: AnswerToRelay): void;
  bytes(chunk: Uint8Array): void;
  ended(): void;
  failed(error: EdgeError | undefined): void;
}

/** What a relay is for, and who looks after it. */
export interface RelayErrand {
  readonly isHead: boolean;
  /** Range that is asked for, as the player asks; undefined for the whole. */
  readonly range: string | undefined;
  readonly candidate: PeerCandidate;
  readonly sink: AnswerSink;
  /** Reads and checks what an answer says beside its object. */
  vouched(value: string, status: number): PeerVoucher | PeerRefusal;
  /** Told what the answer says beside the object, and how many bytes that has. */
  learnt(voucher: PeerVoucher, size: number): void;
  /** So many bytes went to the player past the sink. */
  carried(bytes: number): void;
  /** It is not to be asked again for this request. */
  gaveUp(): void;
  /** Asks others for the rest of an answer. */
  goOn(request: Pick<OriginRequest, 'range' | 'condition'>, sink: OriginSink): OriginFetch;
  /** The relay is over. */
  ended(relay: Relay): void;
}

/** Statuses that say nothing of the object: another edge may do better. */
const OF_PEER = new Set([408, 421, 425, 429]);
/** Most bytes, and milliseconds, of an answer that is not relayed. */
const DRAINED = 64 * 1024;
const DRAIN_TIME = 1000;

/**
 * One answer of a peer on its way to a player: head and body as they come. When it breaks off, the rest is asked of
 * others, of the same version.
 */
export class Relay implements ExchangeSink {
  exchange!: PeerExchange;
  readonly #errand: RelayErrand;
  #head: AnswerToRelay | undefined;
  /** Bytes of the body that the sink was given. */
  #given = 0;
  #isConnected = false;
  #wasUsed = false;
  #isPaused = false;
  #isOver = false;
  /** Milliseconds of a monotonic clock of the last sign of life. */
  #aliveAt = performance.now();
  #silences = 0;
  #rest: OriginFetch | undefined;
  /** While the body goes to the player past the sink: who is to be told, and how much had gone at the last look. */
  #carrying: { readonly carried: Carried; seen: number } | undefined;

  constructor(errand: RelayErrand) {
    this.#errand = errand;
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#rest !== undefined) this.#rest.pause();
    else this.exchange.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#aliveAt = performance.now();
    if (this.#rest !== undefined) this.#rest.resume();
    else this.exchange.resume();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#end();
    if (this.#rest !== undefined) this.#rest.cancel();
    else this.exchange.cancel();
  }

  /**
   * Has the rest of the answer go to a player's socket, past the sink; see `RelayHandle` of the HTTP stage.
   */
  carry(socket: number, carried: Carried): boolean {
    if (this.#rest !== undefined || this.#isOver) return false;
    this.#carrying = { carried, seen: 0 };
    const isBegun = this.exchange.carry(socket, (bytes, isLost) => this.#carried(bytes, isLost));
    if (!isBegun) this.#carrying = undefined;
    return isBegun;
  }

  carriage(): CarriedSoFar {
    return this.exchange.carriage();
  }

  /** Gives a peer up that has been silent for longer than it may. */
  look(now: number, patience: { readonly firstByte: number; readonly stall: number }): void {
    if (this.#isPaused || this.#rest !== undefined) return;
    if (this.#carrying !== undefined) this.#lookAtCarrying(this.#carrying, now);
    const limit = this.#head === undefined ? patience.firstByte : patience.stall;
    if (now - this.#aliveAt < limit) return;
    const silentSince = this.#aliveAt;
    // One that lives is busy, and gets as long again.
    this.#aliveAt = Number.POSITIVE_INFINITY;
    void this.#errand.candidate.isAlive().then(isAlive => {
      if (this.#isOver || this.#aliveAt !== Number.POSITIVE_INFINITY) return;
      this.#aliveAt = performance.now();
      if (isAlive && this.#isConnected && this.#silences++ < SILENCES_MAX) return;
      this.#aliveAt = silentSince;
      if (this.#carrying !== undefined) this.#carried(this.exchange.carriage().bytes, false);
      this.exchange.cancel();
      this.#fail('reset', new Error('the peer fell silent'), this.#isPaused);
    });
  }

  #lookAtCarrying(carrying: { seen: number }, now: number): void {
    const { bytes, isHeld } = this.exchange.carriage();
    if (!isHeld && bytes === carrying.seen) return;
    this.#aliveAt = now;
    this.#silences = 0;
    carrying.seen = bytes;
  }

  #carried(bytes: number, isLost: boolean): void {
    const { carried } = this.#carrying!;
    this.#carrying = undefined;
    this.#aliveAt = performance.now();
    this.#given += bytes;
    this.#errand.candidate.replica.received += bytes;
    this.#errand.carried(bytes);
    carried(bytes, isLost);
  }

  sent(reused: boolean): void {
    this.#isConnected = true;
    this.#wasUsed = reused;
    this.#aliveAt = performance.now();
  }

  answered(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#aliveAt = performance.now();
    const { candidate, sink, isHead, range } = this.#errand;
    const known = fields as Readonly<Record<string, string | string[]>>;
    const value = known[PEER_FIELD];
    const voucher = this.#errand.vouched(typeof value === 'string' ? value : '', status);
    const length = known['content-length'];
    if (typeof voucher === 'string') {
      const reason = known[REFUSED_FIELD];
      this.#giveUp(() => this.exchange.cancel());
      candidate.refused(voucher, typeof reason === 'string' ? reason : `status ${status}`);
      return;
    }
    candidate.answered(voucher);
    const isBodiless = status === 204 || status === 304;
    if (status >= 500 || OF_PEER.has(status)) {
      this.#giveUp(() => this.exchange.drain(DRAINED, DRAIN_TIME));
      return;
    }
    const hasBody = !isHead && !isBodiless;
    const head = { status, fields: known, hasBody, length: length === undefined ? undefined : Number(length) };
    if (status === 206 && !isAskedFor(head, range)) {
      this.#giveUp(() => this.exchange.cancel());
      return;
    }
    this.#head = head;
    if (status < 300 && length !== undefined) this.#errand.learnt(voucher, sizeOf(head));
    sink.answered(head);
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#aliveAt = performance.now();
    this.#silences = 0;
    this.#given += chunk.length;
    const { candidate, sink } = this.#errand;
    candidate.replica.received += chunk.length;
    sink.bytes(chunk);
  }

  ended(): void {
    if (this.#isOver) return;
    this.#errand.candidate.replica.breaker.succeeded();
    this.#end();
    this.#errand.sink.ended();
  }

  failed(kind: TransportFailure, cause: Error): void {
    // The peer may close an idle connection at the moment at which it is used again, or one whose player paused long.
    const wasIdle = kind === 'reset' && this.#wasUsed && this.#head === undefined;
    this.#fail(kind, cause, wasIdle || this.#isPaused);
  }

  #fail(kind: TransportFailure, cause: Error, isBlameless: boolean): void {
    if (this.#isOver) return;
    const { candidate } = this.#errand;
    if (kind === 'tls') candidate.refused('certificate', cause.message);
    if (!isBlameless && transportRefusal(kind, cause).blame) {
      candidate.replica.breaker.failed(performance.now(), '', this.#isConnected);
      this.#errand.gaveUp();
    }
    if (this.#head === undefined) {
      this.#end();
      this.#errand.sink.failed(undefined);
    } else this.#goOn(this.#head, cause);
  }

  #giveUp(leave: () => void): void {
    const { gaveUp, sink } = this.#errand;
    this.#end();
    leave();
    gaveUp();
    sink.failed(undefined);
  }

  #end(): void {
    this.#isOver = true;
    this.#errand.ended(this);
  }

  /** Has others bring what is missing, of the same version. */
  #goOn(head: AnswerToRelay, cause: Error): void {
    const { sink, goOn } = this.#errand;
    const fields = endToEnd(head.fields as Record<string, string | string[]>);
    const validator = validatorOf(fields);
    const start = head.status === 200 ? 0 : parseContentRange(fields['content-range'])?.start;
    if (head.status > 206 || start === undefined || head.length === undefined || !hasValidator(validator)) {
      this.#end();
      sink.failed(brokenOff(cause).error);
      return;
    }
    const from = start + this.#given;
    let skip = 0;
    const range = { start: from, end: start + head.length };
    const rest: OriginSink = {
      answered: ({ offset }) => {
        skip = from - offset;
      },
      bytes: chunk => {
        const skipped = Math.min(skip, chunk.length);
        skip -= skipped;
        // The player's side may wait with it, and it lies where the next one will.
        if (!this.#isOver && skipped < chunk.length) sink.bytes(new Uint8Array(chunk.subarray(skipped)));
      },
      ended: () => {
        if (this.#isOver) return;
        this.#end();
        sink.ended();
      },
      failed: error => {
        if (this.#isOver) return;
        this.#end();
        sink.failed(error);
      },
    };
    this.#rest = goOn({ range, condition: { kind: 'same', validator } }, rest);
    if (this.#isPaused) this.#rest.pause();
  }
}

/** Whether a part is the one that was asked for. */
function isAskedFor({ fields, length }: AnswerToRelay, range: string | undefined): boolean {
  if (range === undefined) return false;
  if (String(fields['content-type']).startsWith('multipart/')) return range.includes(',');
  const { start, end, size } = parseContentRange(String(fields['content-range'])) ?? {};
  if (start === undefined || end === undefined || end - start !== length) return false;
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  // Several ranges may be answered by one that holds them.
  if (from === undefined) return true;
  return from === '' ? end === size : start === Number(from) && (to === '' || end <= Number(to) + 1);
}

/** Bytes of the whole of which an answer has a part. */
function sizeOf({ fields, length }: AnswerToRelay): number {
  const range = fields['content-range'];
  return (typeof range === 'string' ? parseContentRange(range)?.size : undefined) ?? length ?? 0;
}
