import { type Cause, causeFields, type Followed } from '../../base/cause.js';
import { endToEnd, type Fields } from '../fields.js';
import { countRequest, type OriginObserver, type OriginStats } from '../origin-stats.js';
import { type Refusal, refusal } from '../refusal.js';
import type { AnswerRest } from './body-progress.js';
import type { Dialect, Location } from './dialect.js';
import { IdleTimeout } from './idle-timeout.js';
import type { ExchangeSink } from './origin-exchange.js';
import { type OriginTarget, type Redirects, targetOf } from './redirects.js';
import { REFUSAL_BODY, RefusingAnswer } from './refusing-answer.js';
import type { Replica } from './replica.js';
import { preconditionOf, requestFields } from './request-fields.js';
import { type AcceptedHead, checkHead, contradictsItself, refusedCoding, type Wanted } from './response-head.js';
import { SinglePart } from './single-part.js';
import type { HttpTransport, TransportExchange } from './transport.js';
import type { TransportFailure } from './transport-failure.js';
import { brokenOff, transportRefusal } from './transport-refusal.js';

/** Milliseconds that an origin has for each step. */
export interface Timeouts {
  /** TCP and TLS handshake. */
  readonly connect: number;
  /** From the request to the head of its answer. */
  readonly firstByte: number;
  /** Longest silence within a body. */
  readonly stall: number;
}

/** What all tries of one origin share. */
export interface AttemptContext {
  /** Name of the origin, for the log. */
  readonly name: string;
  readonly client: HttpTransport;
  readonly dialect: Dialect;
  readonly timeouts: Timeouts;
  readonly redirects: Redirects;
  /** Fields that the configuration adds to each request; names in lower case. */
  readonly fields: Fields;
  /** Name of this edge in CDN-Loop; undefined when it has none. */
  readonly node?: string | undefined;
  /** TLS name of the origin's own servers, when it isn't that of the URL. */
  readonly servername: string | undefined;
  readonly stats: OriginStats;
  readonly observer: OriginObserver | undefined;
  /**
   * Asks whether a server that has been silent for as long as it may is alive: one that is gets as long again. Left out
   * where silence is reason enough.
   */
  readonly isAlive?: (replica: Replica) => Promise<boolean>;
}

/**
 * Takes the events of a try, all from the event loop: `answered`, `bytes` any number of times, `ended`; or `failed` at
 * any point.
 */
export interface AttemptListener {
  answered(attempt: HttpAttempt, head: AcceptedHead, rest: AnswerRest): void;
  bytes(attempt: HttpAttempt, chunk: Uint8Array): void;
  /** As `OriginSink.receive`. */
  receive(attempt: HttpAttempt, socket: number, most: number): Uint8Array | undefined;
  /** The body is as long as its head said. */
  ended(attempt: HttpAttempt): void;
  failed(attempt: HttpAttempt, refusal: Refusal): void;
}

/** Milliseconds for reading the body of a refusing answer. */
const REFUSAL_TIME = 1000;
/** How often a server that is silent but alive is waited for once more. */
export const SILENCES_MAX = 60;

/** One request to one server, redirects included: sends it, checks what comes, and says how it went wrong. */
export class HttpAttempt implements ExchangeSink {
  readonly replica: Replica;
  readonly #context: AttemptContext;
  readonly #location: Location;
  readonly #listener: AttemptListener;
  readonly #cause: Cause | undefined;
  #followed: Followed | undefined;
  readonly #visited = new Set<string>();
  readonly #idleTimeout = new IdleTimeout(() => this.#late());
  #wanted: Wanted;
  /** The request at hand bears a precondition. */
  #isConditional = false;
  /** A validator was answered with 412. */
  #wasRefused = false;
  #target: OriginTarget;
  #exchange: TransportExchange | undefined;
  #phase: 'connecting' | 'waiting' | 'body' | 'explaining' | 'over' = 'connecting';
  #paused = false;
  #reused = false;
  #requestTime = 0;
  #sentAt = 0;
  #head: AcceptedHead | undefined;
  /** The multipart that wraps the answer's body, and when it came. */
  #part: SinglePart | undefined;
  #responseTime = 0;
  /** The refusing answer whose body is being read. */
  #refused: RefusingAnswer | undefined;
  #received = 0;
  /** Times in a row that the server was silent and yet alive, and what had come at the last of them. */
  #silences = 0;
  #silentAt = 0;

  /**
   * @param location of the object behind the server's base URL
   * @param cause the player's request that it is made for
   */
  constructor(
    context: AttemptContext,
    replica: Replica,
    location: Location,
    wanted: Wanted,
    listener: AttemptListener,
    cause?: Cause,
  ) {
    this.#cause = cause;
    this.#context = context;
    this.replica = replica;
    this.#location = location;
    this.#wanted = replica.refusesItself ? { ...wanted, unsent: true } : wanted;
    this.#listener = listener;
    this.#target = targetOf(replica.base, location);
  }

  /** Sends the request; the listener is not called from within. */
  start(): void {
    this.replica.active++;
    this.#send();
  }

  /** Stops the flow of bytes; the stall timeout does not run meanwhile. */
  pause(): void {
    this.#paused = true;
    if (this.#phase !== 'body') return;
    this.#idleTimeout.stop();
    this.#exchange?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#phase !== 'body') return;
    this.#idleTimeout.start(this.#context.timeouts.stall);
    this.#exchange?.resume();
  }

  /** Ends the try; the listener hears nothing more. */
  cancel(): void {
    if (this.#phase === 'over') return;
    this.#over();
    this.#exchange?.cancel();
  }

  #over(): void {
    this.#phase = 'over';
    this.#idleTimeout.stop();
    this.replica.active--;
  }

  /** True once there was a connection for the request. */
  get connected(): boolean {
    return this.#sentAt > 0;
  }

  #refuse(why: Refusal): void {
    this.#over();
    // A player's pause may have been too long for the server, and another host may be down that it redirects to:
    // neither is its fault.
    const blameless = this.#paused || !this.#target.own;
    this.#listener.failed(this, blameless ? { ...why, blame: false } : why);
  }

  #send(): void {
    const { client, dialect, timeouts } = this.#context;
    // The client bounds the making of a connection; this bounds the wait for one that others use.
    this.#idleTimeout.start(2 * timeouts.connect + timeouts.firstByte);
    const { origin, target, own } = this.#target;
    this.#visited.add(origin + target);
    this.#requestTime = Date.now();
    const parts = { dialect, location: this.#location, target: this.#target, wanted: this.#wanted };
    const { fields: added, node, name } = this.#context;
    // Servers elsewhere that the origin redirects to are told nothing.
    this.#followed = own ? this.#cause?.follow(name, origin + this.#location.path) : undefined;
    const told = own ? causeFields(this.#cause, this.#followed?.traceparent) : {};
    const unsigned = Object.assign(requestFields({ ...parts, added, node }), told);
    const { condition } = this.#wanted;
    this.#isConditional = condition !== undefined && Object.keys(preconditionOf(this.#wanted)).length > 0;
    const send = (fields: Record<string, string>) => {
      this.#exchange = client.send(origin, target, fields, this, own ? this.#context.servername : undefined);
    };
    if (!dialect.sign) {
      send(unsigned);
      return;
    }
    const signed = dialect.sign(origin + target, unsigned);
    if (!(signed instanceof Promise)) {
      send(signed);
      return;
    }
    signed.then(
      fields => {
        if (this.#phase !== 'over') send(fields);
      },
      cause => {
        if (this.#phase === 'over') return;
        this.#refuse(refusal('origin_unavailable', "the request can't be signed", 'never', undefined, { cause }));
      },
    );
  }

  #late(): void {
    const { isAlive } = this.#context;
    const isOwed = this.#phase === 'waiting' || this.#phase === 'body';
    if (this.#received > this.#silentAt) this.#silences = 0;
    this.#silentAt = this.#received;
    if (isAlive !== undefined && isOwed && this.#silences++ < SILENCES_MAX) this.#askWhetherAlive(isAlive);
    else this.#giveUp();
  }

  #askWhetherAlive(isAlive: (replica: Replica) => Promise<boolean>): void {
    const phase = this.#phase;
    const received = this.#received;
    void isAlive(this.replica).then(alive => {
      // What has come meanwhile has set a deadline of its own, but for bytes.
      if (this.#phase !== phase || this.#paused) return;
      const { firstByte, stall } = this.#context.timeouts;
      if (alive || this.#received > received) this.#idleTimeout.start(phase === 'waiting' ? firstByte : stall);
      else this.#giveUp();
    });
  }

  #giveUp(): void {
    this.#exchange?.cancel();
    const phase = this.#phase;
    if (phase === 'explaining') {
      this.#explain(false);
      return;
    }
    if (phase === 'connecting') {
      const message = "all of the origin's connections are busy; come back in a moment";
      this.#refuse(refusal('overloaded', message, 'otherReplica', undefined, { retryAfter: 1 }));
      return;
    }
    if (phase === 'waiting') this.#count('origin_timeout');
    const message =
      phase === 'waiting' ? 'the origin did not answer in time' : 'the origin fell silent in the middle of a body';
    this.#refuse(refusal('origin_timeout', message, 'any', undefined, { blame: true }));
  }

  #count(outcome: number | string): void {
    countRequest(this.#context.stats, outcome);
    this.#followed?.answered(outcome);
  }

  sent(reused: boolean): void {
    this.#phase = 'waiting';
    this.#reused = reused;
    this.#sentAt = performance.now();
    this.#idleTimeout.start(this.#context.timeouts.firstByte);
  }

  answered(status: number, raw: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#responseTime = Date.now();
    this.#count(status);
    this.#context.observer?.ttfb((performance.now() - this.#sentAt) / 1000);
    const foreign = this.#context.dialect.check?.(status, raw);
    if (foreign !== undefined) {
      this.#exchange!.cancel();
      this.#refuse(foreign);
      return;
    }
    const fields = endToEnd(raw);
    const coding = refusedCoding(status, fields, raw['transfer-encoding']);
    if (coding !== undefined) {
      this.#exchange!.cancel();
      this.#refuse(coding);
      return;
    }
    this.#part = status === 206 ? SinglePart.of(fields) : undefined;
    if (this.#part !== undefined) {
      this.#idleTimeout.start(this.#context.timeouts.firstByte);
      return;
    }
    if (status === 200 || status === 206 || status === 304) {
      this.#accept(status, fields, raw['transfer-encoding'] === undefined);
      return;
    }
    // Some servers refuse a validator that they have just given. Asked without it, their answer's own validator tells
    // whether the version is still the same.
    if (status === 412 && this.#isConditional) {
      this.#wasRefused = this.#wanted.condition?.kind === 'same';
      this.#askWithoutCondition();
      return;
    }
    if (status === 416 && contradictsItself(fields, this.#wanted)) {
      this.#again({ ...this.#wanted, range: undefined });
      return;
    }
    if (this.#context.redirects.isFollowed(status, fields)) {
      const next = this.#context.redirects.follow(this.#target, fields, this.#visited);
      if (!('error' in next)) {
        this.#target = next;
        this.#again(this.#wanted);
        return;
      }
      this.#exchange!.drain(REFUSAL_BODY, REFUSAL_TIME);
      this.#refuse(next);
      return;
    }
    this.#refused = new RefusingAnswer(status, fields);
    this.#phase = 'explaining';
    this.#idleTimeout.start(Math.min(REFUSAL_TIME, this.#context.timeouts.stall));
  }

  /** @param isBare the body, unless its length is known, ends with the connection */
  #accept(status: 200 | 206 | 304, fields: Fields, isBare: boolean): void {
    const head = checkHead(status, fields, this.#wanted);
    if (head === 'unconfirmed') {
      this.#askWithoutCondition();
      return;
    }
    if ('error' in head) {
      this.#exchange!.cancel();
      this.#refuse(head);
      return;
    }
    if (this.#wasRefused) this.replica.refusesItself = true;
    this.#head = head;
    this.#phase = 'body';
    if (this.#paused) this.#exchange!.pause();
    else this.#idleTimeout.start(this.#context.timeouts.stall);
    const times = { requestTime: this.#requestTime, responseTime: this.#responseTime };
    this.#listener.answered(this, head, { fields, ...times, unframed: head.length === undefined && isBare });
  }

  /** Takes the part out of what has come of a multipart; undefined when there is none of it, or it was refused. */
  #unwrap(part: SinglePart, chunk: Uint8Array): Uint8Array | undefined {
    const content = part.take(chunk);
    if (typeof content === 'string') {
      this.#exchange!.cancel();
      this.#refuse(refusal('origin_protocol', `the origin ${content}`, 'otherReplica', { status: 206, fields: {} }));
      return undefined;
    }
    if (this.#head === undefined && part.fields !== undefined) this.#accept(206, part.fields, false);
    return content.length > 0 && (this.#phase as string) === 'body' ? content : undefined;
  }

  /**
   * Asks again without the precondition. Where one version was wanted, the answer's validator is still compared with
   * it.
   */
  #askWithoutCondition(): void {
    const { range, condition } = this.#wanted;
    this.#again(condition?.kind === 'same' ? { range, condition, unsent: true } : { range, condition: undefined });
  }

  /** Sends another request in place of the one that was answered. */
  #again(wanted: Wanted): void {
    this.#exchange!.drain(REFUSAL_BODY, REFUSAL_TIME);
    this.#wanted = wanted;
    this.#phase = 'connecting';
    this.#send();
  }

  /** @param isWhole the whole body of the refusing answer has come */
  #explain(isWhole: boolean): void {
    const { dialect, redirects } = this.#context;
    this.#refuse(this.#refused!.explain(isWhole, dialect, redirects, this.#wanted));
  }

  bytes(raw: Uint8Array): void {
    this.#context.stats.responseBytes += raw.length;
    this.replica.received += raw.length;
    if (this.#refused) {
      if (this.#refused.add(raw)) return;
      this.#exchange!.cancel();
      this.#explain(false);
      return;
    }
    this.#idleTimeout.touch();
    const chunk = this.#part === undefined ? raw : this.#unwrap(this.#part, raw);
    if (chunk === undefined) return;
    this.#received += chunk.length;
    const { status, length } = this.#head!;
    if (length !== undefined && this.#received > length) {
      this.#exchange!.cancel();
      const head = { status, fields: {} };
      this.#refuse(refusal('origin_protocol', 'the origin sent a longer body than it said', 'otherReplica', head));
      return;
    }
    this.#listener.bytes(this, chunk);
  }

  receive(socket: number, most: number): Uint8Array | undefined {
    const length = this.#head?.length;
    if (length === undefined || this.#refused !== undefined || this.#part !== undefined) return undefined;
    return this.#listener.receive(this, socket, Math.min(most, length - this.#received));
  }

  ended(): void {
    if (this.#refused) {
      this.#explain(true);
      return;
    }
    if (this.#part?.isWhole === false || this.#received < (this.#head?.length ?? 0)) {
      this.#refuse(brokenOff());
      return;
    }
    this.#over();
    this.#listener.ended(this);
  }

  failed(kind: TransportFailure, cause: Error): void {
    if (this.#refused) {
      this.#explain(false);
      return;
    }
    const why = transportRefusal(kind, cause);
    if (!this.#head) this.#count(why.error.code);
    // The server may close an idle connection at the moment at which it is used again.
    const idle = kind === 'reset' && this.#reused && !this.#head;
    this.#refuse(idle ? { ...why, blame: false } : why);
  }
}
