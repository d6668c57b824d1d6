import type { Askers } from '../askers.js';
import { hasValidator } from '../fields.js';
import type { OriginFetch, OriginRequest, OriginSink } from '../origin.js';
import { type Refusal, refusal, refuseChanged } from '../refusal.js';
import { type AnswerRest, BodyProgress } from './body-progress.js';
import type { Location } from './dialect.js';
import { type FailedRequest, fetchFailure, heldBack, overloaded, stalledReader } from './fetch-failure.js';
import type { FetchQueue } from './fetch-queue.js';
import { FetchTries, type TryLimits } from './fetch-tries.js';
import { type AttemptContext, type AttemptListener, HttpAttempt } from './http-attempt.js';
import type { QueuedFetch } from './queued-fetch.js';
import type { Replica, ServerChoice } from './replica.js';
import type { AcceptedHead } from './response-head.js';

/** What all fetches of one origin share. */
export interface FetchContext extends AttemptContext, TryLimits {
  readonly replicas: ServerChoice;
  readonly queue: FetchQueue;
  /** Milliseconds after which a second server is asked beside a silent one; 0 for never. */
  readonly hedgeAfter: number;
  /** Called when the fetch is over, however it ended. */
  readonly ended: (fetch: HttpFetch) => void;
}

/**
 * One fetch: as many tries as it takes to bring its bytes in one piece, of one version. A try that breaks off is
 * continued by another at the byte where it stopped, on the condition that the validator is still the same. So is one
 * that has given its place up because its reader took nothing while others waited, when the reader reads on.
 */
export class HttpFetch implements OriginFetch, AttemptListener, QueuedFetch {
  readonly #context: FetchContext;
  readonly #request: OriginRequest;
  readonly #location: Location;
  readonly #sink: OriginSink;
  /** Tries under way: one, or two while a hedged fetch waits for its first head. */
  #attempts: HttpAttempt[] = [];
  readonly #progress: BodyProgress;
  readonly #tries: FetchTries;
  #lastAsked: Replica | undefined;
  #paused = false;
  /** `standby`: it has no place, and asks for one when it is resumed. */
  #state: 'queued' | 'running' | 'standby' | 'over' = 'queued';
  #timer: NodeJS.Timeout | undefined;

  /** @param location of the object behind any of the servers' base URLs */
  constructor(context: FetchContext, request: OriginRequest, location: Location, sink: OriginSink) {
    this.#context = context;
    this.#request = request;
    this.#progress = new BodyProgress(request);
    this.#location = location;
    this.#tries = new FetchTries(`${location.path}?${location.query}`, context, context.replicas);
    this.#sink = sink;
    if (request.condition?.kind === 'same') this.#tries.want(request.condition.validator);
  }

  /** Starts, or queues; the sink is not called from within. */
  start(): void {
    const { queue, timeouts } = this.#context;
    this.#state = 'queued';
    const entered = queue.enter(this);
    if (entered === 'running') this.begin();
    else if (entered === 'full') this.turnAway();
    else this.#timer = setTimeout(() => this.turnAway(), timeouts.firstByte);
  }

  pause(): void {
    this.#paused = true;
    if (!this.#progress.answer) return;
    this.#attempts[0]?.pause();
    if (this.#state === 'running') this.#context.queue.pause(this);
    else if (this.#state === 'queued') this.#standBy();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state === 'standby') this.start();
    else if (this.#progress.answer) {
      this.#context.queue.resume(this);
      this.#attempts[0]?.resume();
    }
  }

  cancel(): void {
    this.#finish();
  }

  /** Ends the fetch because its origin is closing. */
  shutDown(): void {
    this.#fail(refusal('origin_unavailable', 'the edge is closing its origin', 'never'));
  }

  begin(): void {
    clearTimeout(this.#timer);
    this.#state = 'running';
    this.#try();
  }

  giveWay(): void {
    if (this.resumable) {
      this.#context.stats.yields++;
      this.#standBy();
    } else {
      this.#fail(stalledReader());
    }
  }

  /** Gives its place up until it is resumed. */
  #standBy(): void {
    const { queue } = this.#context;
    clearTimeout(this.#timer);
    for (const attempt of this.#attempts) this.#drop(attempt);
    this.#attempts = [];
    const hadPlace = this.#state === 'running';
    this.#state = 'standby';
    if (hadPlace) queue.leave(this);
    else queue.forget(this);
  }

  /** Tries again, or for the first time, as soon as a server may be asked. */
  #try(): void {
    const wait = this.#context.replicas.wait(performance.now(), this.#tries) ?? 0;
    if (wait > 0 && !this.#isUnderWay) this.#failSoon(heldBack(wait));
    else if (wait > 0) this.#timer = setTimeout(() => this.#ask(), this.#patience(wait));
    else this.#ask();
  }

  #ask(): void {
    const { replicas, hedgeAfter } = this.#context;
    // Never undefined: a fetch has failed when no server is left to ask.
    this.#attempt(replicas.pick(performance.now(), this.#tries)!);
    if (hedgeAfter > 0 && !this.#progress.answer) this.#timer = setTimeout(() => this.#hedge(), hedgeAfter);
  }

  /**
   * True when a player has bytes of this version already. Its fetch waits for a server that asked for a pause
   * (Retry-After), and asks it before its time in the end, rather than to fail in the middle of an answer.
   */
  get #isUnderWay(): boolean {
    return this.#progress.answer !== undefined || this.#request.condition?.kind === 'same';
  }

  /** Milliseconds that a film under way waits for a hold of `wait`. */
  #patience(wait: number): number {
    return Math.min(wait, this.#context.timeouts.firstByte);
  }

  #attempt(replica: Replica): void {
    this.#progress.beginTry();
    this.#lastAsked = replica;
    const { wanted } = this.#progress;
    const attempt = new HttpAttempt(
      this.#context,
      replica,
      this.#location,
      wanted,
      this,
      this.#request.askers.first.cause,
    );
    this.#attempts.push(attempt);
    attempt.start();
  }

  #hedge(): void {
    const asked = this.#attempts[0]!.replica;
    const replica = this.#context.replicas.pick(performance.now(), this.#tries.without(asked));
    if (!replica) return;
    this.#context.stats.hedges++;
    this.#attempt(replica);
  }

  answered(attempt: HttpAttempt, head: AcceptedHead, rest: AnswerRest): void {
    clearTimeout(this.#timer);
    for (const rival of this.#attempts) if (rival !== attempt) this.#drop(rival);
    this.#attempts = [attempt];
    if (this.#paused) {
      attempt.pause();
      this.#context.queue.pause(this);
    }
    if (this.#progress.answer) {
      if (!this.#progress.goOn(head)) this.#changedIn(attempt);
      return;
    }
    const answer = this.#progress.begin(head, rest);
    this.#tries.beginAt(answer.offset);
    if (hasValidator(head.validator)) this.#tries.want(head.validator);
    this.#sink.answered(answer);
  }

  /** A try has brought bytes of another version. */
  #changedIn(attempt: HttpAttempt): void {
    this.#drop(attempt);
    this.failed(attempt, refuseChanged());
  }

  bytes(attempt: HttpAttempt, chunk: Uint8Array): void {
    const fresh = this.#progress.take(chunk);
    if (fresh === undefined) {
      this.#changedIn(attempt);
      return;
    }
    const { overran, position } = this.#progress;
    if (fresh.length > 0) {
      this.#tries.cameTo(position);
      this.#sink.bytes(fresh);
    }
    // Only a server that sends the whole for the rest of a range still goes on here.
    if (overran && this.#state === 'running') {
      attempt.cancel();
      this.ended(attempt);
    }
  }

  receive(_attempt: HttpAttempt, socket: number, most: number): Uint8Array | undefined {
    const wanted = this.#progress.takesAsItIs(most);
    return wanted === 0 ? undefined : this.#sink.receive?.(socket, wanted);
  }

  ended(attempt: HttpAttempt): void {
    attempt.replica.breaker.succeeded();
    this.#attempts = [];
    if (this.#progress.isWhole) {
      const sink = this.#sink;
      this.#finish();
      sink.ended();
    } else if (!this.resumable || !this.#mayAskOn()) {
      this.#fail(refusal('origin_protocol', 'the origin answered less than was asked for', 'never'));
    } else if (this.#paused) this.#standBy();
    else this.#try();
  }

  /** Whether the rest is asked for after a short answer: few bytes cost a try, and none end the fetch. */
  #mayAskOn(): boolean {
    const brought = this.#progress.broughtByTry;
    return brought === 'enough' || (brought === 'little' && this.#tries.spend());
  }

  failed(attempt: HttpAttempt, why: Refusal): void {
    const now = performance.now();
    const retry = this.#tries.failed(attempt.replica, why, this.#isUnderWay, attempt.connected, now);
    this.#attempts = this.#attempts.filter(other => other !== attempt);
    const wait = this.#context.replicas.wait(now, this.#tries);
    const last = this.#tries.change ?? why;
    if (retry === 'never') this.#fail(why);
    else if (this.#attempts.length > 0) return;
    else if (this.#progress.atEnd && retry === 'any') this.ended(attempt);
    else if (wait === undefined || (wait > 0 && !this.#isUnderWay)) this.#fail(last);
    else if (!this.resumable) this.#fail(last);
    else if (!this.#tries.spendFor(why)) this.#fail(last);
    else this.#retry(why);
  }

  /** Path of what is fetched. */
  get object(): string {
    return this.#request.path;
  }

  get askers(): Askers {
    return this.#request.askers;
  }

  get resumable(): boolean {
    return this.#progress.resumable;
  }

  turnAway(): void {
    this.#context.stats.overloads++;
    this.#failSoon(overloaded());
  }

  #retry(why: Refusal): void {
    clearTimeout(this.#timer);
    this.#context.stats.retries++;
    if (this.#paused) {
      this.#standBy();
      return;
    }
    this.#timer = setTimeout(() => this.#try(), this.#tries.delayAfter(why, performance.now()));
  }

  #drop(attempt: HttpAttempt): void {
    attempt.cancel();
    attempt.replica.breaker.left(this.#tries.url);
  }

  #failSoon(why: Refusal): void {
    queueMicrotask(() => this.#fail(why));
  }

  #fail(why: Refusal): void {
    if (this.#state === 'over') return;
    const sink = this.#sink;
    this.#finish();
    sink.failed(fetchFailure(why, this.#failedRequest), why.answer);
  }

  get #failedRequest(): FailedRequest {
    const { name, replicas, dialect } = this.#context;
    const { base } = this.#lastAsked ?? replicas.all[0]!;
    const { wanted } = this.#progress;
    return { origin: name, base, location: this.#location, wanted, signed: dialect.tellsSecrets === true };
  }

  #finish(): void {
    if (this.#state === 'over') return;
    const { queue, ended } = this.#context;
    const wasRunning = this.#state === 'running';
    this.#state = 'over';
    clearTimeout(this.#timer);
    for (const attempt of this.#attempts) this.#drop(attempt);
    this.#attempts = [];
    ended(this);
    if (wasRunning) queue.leave(this);
    else queue.forget(this);
  }
}
