import { BLOCK_SIZE } from '../../base/block.js';
import type { ErrorCode, ErrorOptions, OriginTrouble } from '../../base/errors.js';
import { hasValidator } from '../fields.js';
import type { OriginAnswer, OriginFetch, OriginRequest, OriginSink, Validator } from '../origin.js';
import { type Refusal, refusal, refuseChanged } from '../refusal.js';
import type { Location } from './dialect.js';
import type { FetchQueue, QueuedFetch } from './fetch-queue.js';
import { type AttemptContext, type AttemptListener, HttpAttempt } from './http-attempt.js';
import { Overlap } from './overlap.js';
import type { Experience, Replica, Replicas } from './replica.js';
import type { AcceptedHead, Wanted } from './response-head.js';

/** What all fetches of one origin share. */
export interface FetchContext extends AttemptContext {
  /** Name of the origin, for the log. */
  readonly name: string;
  readonly replicas: Replicas;
  readonly queue: FetchQueue;
  /** Tries after the first that bring no progress. */
  readonly retries: number;
  /** Milliseconds before a second try on the same server; doubled for each further one. */
  readonly backoff: number;
  /** Milliseconds after which a second server is asked beside a silent one; 0 for never. */
  readonly hedgeAfter: number;
  /** Called when the fetch is over, however it ended. */
  readonly over: (fetch: HttpFetch) => void;
}

/** What a server says that does not have a version. */
const WITHOUT: ReadonlySet<ErrorCode> = new Set(['not_found', 'gone', 'object_changed']);
/** Fewest bytes of an answer that is shorter than what was asked for, in bytes: less would need too many requests. */
const SHORT_ANSWER = 16 * 1024;
/**
 * Most bytes that are read once more to come to where a fetch stopped, from a server that sends the whole object only.
 */
const REREAD_MAX = 16 * 1024 * 1024;

/**
 * One fetch: as many tries as it takes to bring its bytes in one piece, of one version. A try that breaks off is
 * continued by another at the byte where it stopped, on the condition that the validator is still the same. So is one
 * that has given its place up because its reader took nothing while others waited, when the reader reads on.
 */
export class HttpFetch implements OriginFetch, AttemptListener, QueuedFetch, Experience {
  readonly url: string;
  version: string | undefined;
  readonly failures = new Map<Replica, number>();
  readonly hopeless = new Set<Replica>();
  readonly #context: FetchContext;
  readonly #request: OriginRequest;
  readonly #location: Location;
  readonly #sink: OriginSink;
  /** Tries under way: one, or two while a hedged fetch waits for its first head. */
  #attempts: HttpAttempt[] = [];
  #answer: OriginAnswer | undefined;
  /** Next byte of the object that the sink is to get. */
  #position = 0;
  /** End of what it is to get; undefined while nobody knows. */
  #end: number | undefined;
  /** Bytes of the present try that the sink has already. */
  #skip = 0;
  /** What a further try has to repeat, when there are no validators. */
  #overlap: Overlap | undefined;
  /** Where the present try began, and where tries were last granted anew. */
  #tryStart = 0;
  #progressMark = 0;
  #triesLeft: number;
  #retries = 0;
  #change: Refusal | undefined;
  #lastAsked: Replica | undefined;
  #paused = false;
  /** `standby`: it has no place, and asks for one when it is resumed. */
  #state: 'queued' | 'running' | 'standby' | 'over' = 'queued';
  #timer: NodeJS.Timeout | undefined;

  /** @param location of the object behind any of the servers' base URLs */
  constructor(context: FetchContext, request: OriginRequest, location: Location, sink: OriginSink) {
    this.#context = context;
    this.#request = request;
    this.#location = location;
    this.url = `${location.path}?${location.query}`;
    this.#sink = sink;
    if (request.condition?.kind === 'same') this.version = this.#versionOf(request.condition.validator);
    this.#triesLeft = context.retries;
  }

  /** Starts, or queues; the sink is not called from within. */
  start(): void {
    const { queue, timeouts, stats } = this.#context;
    this.#state = 'queued';
    const entered = queue.enter(this);
    if (entered === 'running') this.begin();
    else if (entered === 'full') {
      stats.overloads++;
      this.#failSoon(this.#overloaded());
    } else {
      this.#timer = setTimeout(() => {
        stats.overloads++;
        this.#fail(this.#overloaded());
      }, timeouts.firstByte);
    }
  }

  pause(): void {
    this.#paused = true;
    if (!this.#answer) return;
    this.#attempts[0]?.pause();
    if (this.#state === 'running') this.#context.queue.pause(this);
    else if (this.#state === 'queued') this.#standBy();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state === 'standby') this.start();
    else if (this.#answer) {
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
      const message =
        'its player took no byte while others waited for the origin, and nothing can go on where it stands';
      this.#fail(refusal('overloaded', message, 'never', undefined, { retryAfter: 1 }));
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

  #overloaded(): Refusal {
    const message = 'too many fetches from this origin are waiting; come back in a moment';
    return refusal('overloaded', message, 'never', undefined, { retryAfter: 1 });
  }

  #wanted(): Wanted {
    if (!this.#answer) return this.#request;
    const end = this.#end ?? this.#request.range?.end ?? Number.POSITIVE_INFINITY;
    const start = this.#position - (this.#overlap?.length ?? 0);
    const whole = start === 0 && !this.#request.range;
    return {
      range: whole ? undefined : { start, end },
      condition: this.#overlap ? undefined : { kind: 'same', validator: this.#answer.validator },
    };
  }

  /** Tries again, or for the first time, as soon as a server may be asked. */
  #try(): void {
    const wait = this.#context.replicas.wait(performance.now(), this) ?? 0;
    if (wait > 0 && !this.#isUnderWay) this.#failSoon(heldBack(wait));
    else if (wait > 0) this.#timer = setTimeout(() => this.#ask(), this.#patience(wait));
    else this.#ask();
  }

  #ask(): void {
    const { replicas, hedgeAfter } = this.#context;
    // There is one: a fetch for which all are hopeless has failed.
    this.#attempt(replicas.pick(performance.now(), this)!);
    if (hedgeAfter > 0 && !this.#answer) this.#timer = setTimeout(() => this.#hedge(), hedgeAfter);
  }

  /**
   * True for bytes of a film that is being watched: rather than that it is cut, a hold is waited out, or overstepped in
   * the end.
   */
  get #isUnderWay(): boolean {
    return this.#answer !== undefined || this.#request.condition?.kind === 'same';
  }

  /** Milliseconds that a film under way waits for a hold of `wait`. */
  #patience(wait: number): number {
    return Math.min(wait, this.#context.timeouts.firstByte);
  }

  #attempt(replica: Replica): void {
    this.#tryStart = this.#position;
    this.#lastAsked = replica;
    const attempt = new HttpAttempt(this.#context, replica, this.#location, this.#wanted(), this);
    this.#attempts.push(attempt);
    attempt.start();
  }

  #hedge(): void {
    const asked = this.#attempts[0]!.replica;
    const failures = new Map(this.failures).set(asked, 1 + (this.failures.get(asked) ?? 0));
    const replica = this.#context.replicas.pick(performance.now(), {
      url: this.url,
      version: this.version,
      hopeless: this.hopeless,
      failures,
    });
    if (!replica) return;
    this.#context.stats.hedges++;
    this.#attempt(replica);
  }

  accepted(
    attempt: HttpAttempt,
    head: AcceptedHead,
    times: Pick<OriginAnswer, 'fields' | 'requestTime' | 'responseTime' | 'unframed'>,
  ): void {
    clearTimeout(this.#timer);
    for (const rival of this.#attempts) if (rival !== attempt) this.#drop(rival);
    this.#attempts = [attempt];
    if (this.#paused) {
      attempt.pause();
      this.#context.queue.pause(this);
    }
    if (this.#answer) {
      this.#skip = this.#position - head.offset;
      if (head.size === undefined || this.#answer.size === undefined || head.size === this.#answer.size) return;
      this.#drop(attempt);
      this.refused(attempt, refuseChanged());
      return;
    }
    const { start, end } = this.#request.range ?? { start: 0, end: Number.POSITIVE_INFINITY };
    if (head.length !== undefined) this.#end = head.offset + head.length;
    // A server may answer more or less than was asked for; what is missing is asked for afterwards.
    if (head.status === 206) this.#end = Math.min(end, head.size ?? this.#end!);
    const offset = head.status === 206 ? start : head.offset;
    this.#skip = offset - head.offset;
    this.#position = this.#tryStart = this.#progressMark = offset;
    const length = this.#end === undefined ? undefined : this.#end - offset;
    this.#answer = { ...head, offset, length, ...times };
    if (hasValidator(head.validator)) this.version = this.#versionOf(head.validator);
    else this.#overlap = new Overlap();
    this.#sink.answered(this.#answer);
  }

  #versionOf({ etag, lastModified }: Validator): string {
    return `${this.url}\n${etag ?? lastModified}`;
  }

  bytes(attempt: HttpAttempt, chunk: Uint8Array): void {
    let fresh = chunk;
    if (this.#skip > 0) {
      if (this.#overlap?.repeats(chunk, this.#skip) === false) {
        this.#drop(attempt);
        this.refused(attempt, refuseChanged());
        return;
      }
      const skipped = Math.min(this.#skip, chunk.length);
      this.#skip -= skipped;
      fresh = chunk.subarray(skipped);
    }
    const left = (this.#end ?? Number.POSITIVE_INFINITY) - this.#position;
    const clipped = fresh.length > left;
    if (clipped) fresh = fresh.subarray(0, left);
    if (fresh.length > 0) {
      this.#position += fresh.length;
      this.#overlap?.push(fresh);
      if (this.#position - this.#progressMark >= BLOCK_SIZE) this.#progressed();
      this.#sink.bytes(fresh);
    }
    // Only a server that sends the whole for the rest of a range still goes on here.
    if (clipped && this.#state === 'running') {
      attempt.cancel();
      this.ended(attempt);
    }
  }

  /** A fetch that comes forward is granted its tries anew. */
  #progressed(): void {
    this.#progressMark = this.#position;
    this.#triesLeft = this.#context.retries;
    this.#retries = 0;
    this.failures.clear();
  }

  ended(attempt: HttpAttempt): void {
    attempt.replica.breaker.succeeded();
    this.#attempts = [];
    if (this.#end === undefined || this.#position === this.#end) {
      const sink = this.#sink;
      this.#finish();
      sink.ended();
    } else if (!this.resumable || !this.#mayAskOn(this.#position - this.#tryStart)) {
      this.#fail(refusal('origin_protocol', 'the origin answered less than was asked for', 'never'));
    } else if (this.#paused) this.#standBy();
    else this.#try();
  }

  /** Whether the rest is asked for after an answer of `bytes`: few bytes cost a try, and none end it. */
  #mayAskOn(bytes: number): boolean {
    if (bytes >= SHORT_ANSWER) return true;
    return bytes > 0 && this.#triesLeft-- > 0;
  }

  refused(attempt: HttpAttempt, why: Refusal): void {
    const { replica } = attempt;
    const { replicas } = this.#context;
    const now = performance.now();
    if (why.blame) replica.breaker.failed(now, this.url, attempt.connected);
    else if (why.answer) replica.breaker.succeeded();
    else replica.breaker.left(this.url);
    const { retryAfter = 0 } = why.error.options;
    if (why.retry === 'any' && retryAfter > 0) replicas.hold(replica, now, this.url, retryAfter * 1000);
    this.#attempts = this.#attempts.filter(other => other !== attempt);
    if (why.error.code === 'object_changed') this.#change = why;
    // Of a film under way another server may still have the version, whatever this one says.
    const isFinal = why.retry === 'never' && !(this.#isUnderWay && why.answer !== undefined);
    const retry = why.retry === 'never' && !isFinal ? 'otherReplica' : why.retry;
    if (WITHOUT.has(why.error.code) && this.version !== undefined) replicas.lacks(replica, now, this.version);
    if (retry === 'any') this.failures.set(replica, 1 + (this.failures.get(replica) ?? 0));
    else this.hopeless.add(replica);
    const wait = replicas.wait(now, this);
    if (retry === 'never') this.#fail(why);
    else if (this.#attempts.length > 0) return;
    else if (this.#position === this.#end && retry === 'any') this.ended(attempt);
    else if (wait === undefined || (wait > 0 && !this.#isUnderWay)) this.#fail(this.#change ?? why);
    else if (!this.resumable) this.#fail(this.#change ?? why);
    // Each server may say once that it does not have the version, which is no failure of the fetch.
    else if (!WITHOUT.has(why.error.code) && this.#triesLeft-- <= 0) this.#fail(this.#change ?? why);
    else this.#retry(why);
  }

  /**
   * False when the sink has bytes that nothing can tell from another version's, or too many to have them sent again.
   */
  get resumable(): boolean {
    const answer = this.#answer;
    if (!answer || this.#position === answer.offset) return true;
    const sendsRanges = answer.status === 206 || answer.fields['accept-ranges'] === 'bytes';
    const isComparable = hasValidator(answer.validator) || this.#overlap?.tells === true;
    return isComparable && (sendsRanges || this.#position <= REREAD_MAX);
  }

  #retry(why: Refusal): void {
    clearTimeout(this.#timer);
    this.#context.stats.retries++;
    if (this.#paused) {
      this.#standBy();
      return;
    }
    // An idle connection that turned out to be closed, or another server, is worth a try at once.
    const isIdle = !why.blame && why.answer === undefined;
    const elsewhere = this.#context.replicas.hasUntried(performance.now(), this);
    const delay = elsewhere || isIdle ? 0 : this.#context.backoff * 2 ** this.#retries++;
    this.#timer = setTimeout(() => this.#try(), delay);
  }

  #drop(attempt: HttpAttempt): void {
    attempt.cancel();
    attempt.replica.breaker.left(this.url);
  }

  #failSoon(why: Refusal): void {
    queueMicrotask(() => this.#fail(why));
  }

  #fail(why: Refusal): void {
    if (this.#state === 'over') return;
    const sink = this.#sink;
    this.#finish();
    sink.failed(why.error.with({ ...this.#passed(why), trouble: this.#troubleOf(why) }), why.answer);
  }

  /** What the player gets of the answer: of one to a signed request no body, which may tell of the credentials. */
  #passed({ error, answer }: Refusal): ErrorOptions {
    if (error.options.answer !== undefined || answer === undefined || !isPassed(error.code, answer.status)) return {};
    const { status, fields, body } = answer;
    if (this.#context.dialect.explain === undefined) {
      const readable = fields['content-encoding'] === undefined ? body : undefined;
      if (readable !== undefined || error.code !== 'redirected') return { answer: { status, fields, body: readable } };
      // Where a redirect leads is in its fields, whatever its body says.
      const { 'content-encoding': _, 'content-type': __, ...others } = fields;
      return { answer: { status, fields: others, body: new Uint8Array(0) } };
    }
    return status === 429 || status >= 500 ? { answer: { status, fields: {}, body: undefined } } : {};
  }

  #troubleOf({ error, answer }: Refusal): OriginTrouble {
    const { range, condition } = this.#wanted();
    const { path, query } = this.#location;
    const { base } = this.#lastAsked ?? this.#context.replicas.all[0]!;
    const last = range?.end === Number.POSITIVE_INFINITY ? '' : Number(range?.end) - 1;
    const bytes = range === undefined ? 'the whole' : `bytes ${range.start}-${last}`;
    const validator = condition?.validator.etag ?? condition?.validator.lastModified;
    const { code } = (error.options.cause ?? {}) as { code?: unknown };
    return {
      origin: this.#context.name,
      url: `${base.origin}${base.pathname.replace(/\/+$/, '')}${path}${query && `?${query}`}`,
      expected: validator === undefined ? bytes : `${bytes}, version ${validator}`,
      found: [
        error.message,
        ...(answer === undefined ? [] : [`status ${answer.status}`]),
        ...(typeof code === 'string' ? [code] : []),
      ].join(', '),
    };
  }

  #finish(): void {
    if (this.#state === 'over') return;
    const { queue, over } = this.#context;
    const wasRunning = this.#state === 'running';
    this.#state = 'over';
    clearTimeout(this.#timer);
    for (const attempt of this.#attempts) this.#drop(attempt);
    this.#attempts = [];
    over(this);
    if (wasRunning) queue.leave(this);
    else queue.forget(this);
  }
}

/**
 * Statuses that are for the edge, not for players: answers that were no good, redirects, and what a proxy is asked for.
 */
const OURS = new Set([200, 206, 301, 302, 303, 304, 307, 308, 407]);
/** Refusals that the edge answers from what it knows itself. */
const OWN: ReadonlySet<ErrorCode> = new Set(['object_changed', 'range_not_satisfiable']);

function isPassed(code: ErrorCode, status: number): boolean {
  return (code === 'redirected' || !OURS.has(status)) && !OWN.has(code) && status >= 200 && status < 600;
}

/** The server has asked for a pause, which is not over. */
function heldBack(wait: number): Refusal {
  const message = 'the origin has asked for a pause; try again later';
  const held = refusal('origin_unavailable', message, 'never', undefined, { retryAfter: Math.ceil(wait / 1000) });
  return { ...held, error: held.error.with({ answer: { status: 503, fields: {}, body: undefined } }) };
}
