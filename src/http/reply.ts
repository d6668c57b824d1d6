import type { Asker } from '../base/asker.js';
import { type CacheOutcome, cacheStatus } from '../base/cache-outcome.js';
import type { Cause, Followed } from '../base/cause.js';
import { asEdgeError, type EdgeError, type OriginTrouble, type PassedAnswer } from '../base/errors.js';
import { fieldLine } from '../base/field-line.js';
import { PEER_FIELD } from '../base/peer-fields.js';
import type { Scatter } from '../delivery/scatter.js';
import type { Transport } from '../delivery/transport.js';
import type { AccessEntry } from '../observe/access-entry.js';
import type { RequestSpan } from '../observe/request-span.js';
import { type Field, FieldBlock } from './field-block.js';
import { hasContent, hasToken } from './framing.js';
import type { FrontRequest, FrontResponse } from './front-end.js';
import { HeadWriter } from './head-writer.js';
import type { HttpContext } from './http-context.js';
import type { PeerRequest } from './peer-port.js';
import type { ByteRange } from './range.js';
import { accessEntry, type RequestFacts, requestFacts } from './request-facts.js';
import { givenRequestId, givenTrace, nextRequestId } from './request-id.js';
import { routeName } from './route-counts.js';

/** Status under which a player is counted that left before its answer began, as nginx does. */
const CLIENT_LEFT = 499;

/** Statuses of requests that were not understood: what follows may not be what it looks like, and is not read. */
const NOT_UNDERSTOOD: ReadonlySet<number> = new Set([400, 414]);
/** Errors below 500 that say what is wrong with a file, which its owner is to know, too. */
const ABOUT_THE_FILE: ReadonlySet<string> = new Set(['unplayable', 'media_too_large']);

/** Has browsers tell other pages and this server no more than the host of a URL that lets its player in. */
const NO_REFERRER = fieldLine('Referrer-Policy', 'strict-origin');

/** The head at hand, of whatever answer. */
const headWriter = new HeadWriter();
const CLOSE = fieldLine('Connection', 'close');
const RANGE = fieldLine('Content-Range', 'bytes ');

/** For errors that no origin has a part in. */
const NO_TROUBLE: Partial<OriginTrouble> = {};

/** Whoever makes the body of an answer. */
export interface BodyMaker {
  /** Bytes of the body that the socket has taken. */
  readonly sent: number;
  /** Path and query of the request, as far as they were understood; for the log. */
  readonly url: string;
  /** Name of the origin that the request is for, as far as it is known; for the log. */
  readonly origin?: string | undefined;
  /** Cache key of the object that the answer is made of; for figures. */
  readonly key?: string | undefined;
  /** The player has left: nothing is to be written any more. */
  left(): void;
}

/** Bytes `[start, end)` of a file of so many. */
export interface RangeOfFile extends ByteRange {
  readonly size: number;
}

/**
 * The answer to one request: writes its head, watches for the player that leaves, and accounts for it once when it
 * ends.
 */
export class Reply implements Asker, Cause {
  /** The answer is complete, or the player has left: nothing may be written any more. */
  over = false;
  readonly #context: HttpContext;
  readonly #res: FrontResponse;
  readonly #req: FrontRequest;
  readonly #isHead: boolean;
  readonly #cors: FieldBlock | undefined;
  readonly #body: BodyMaker | undefined;
  readonly #started = performance.now();
  readonly #facts: RequestFacts | undefined;
  #requestId: string | undefined;
  /** Follows the request, where traces are collected and it is one of those. */
  readonly #span: RequestSpan | undefined;
  /** Why the answer is none, or has ended before its end. */
  #error: string | undefined;
  #status = CLIENT_LEFT;
  #outcome: CacheOutcome | undefined;
  /** Seconds until the head was written; undefined before. */
  #ttfb: number | undefined;
  #suspended = false;
  #cut = false;
  /** The gate's number of the connection. */
  readonly #socket: number;
  readonly #isPlain: boolean;
  /** The connection is to be closed after this answer (RFC 9112 section 9.6). */
  #isLast: boolean;
  /** The player knows no chunks. */
  readonly isOld: boolean;
  /** Sends pieces of the body from where they lie, where the connection can. */
  readonly scatter: Scatter | undefined;
  readonly #peer: PeerRequest | undefined;
  #client: string | undefined;
  /** The URL bears what lets its player in. */
  bearsTokens = false;
  /** Address of the client, where its requests are bounded. */
  readonly #bounded: string | undefined;

  /** @param peer the request of a peer that is answered */
  constructor(
    context: HttpContext,
    res: FrontResponse,
    req: FrontRequest,
    method: string,
    body?: BodyMaker,
    peer?: PeerRequest,
  ) {
    this.#context = context;
    this.#peer = peer;
    this.#res = res;
    this.#req = req;
    this.#isHead = method === 'HEAD';
    const { gate } = context;
    this.#socket = gate.socket;
    this.scatter = gate.scatter;
    const isSeen = this.#socket !== 0;
    this.#isPlain = isSeen && !gate.isSecure;
    this.#isLast = isSeen ? gate.isLast : hasToken(req.getHeader('connection'), 'close') || hasContent(req);
    this.isOld = gate.isOld;
    this.#body = body;
    this.#cors = context.cors.perOrigin ? context.cors.fields(req.getHeader('origin')) : undefined;
    this.#span = context.tracing?.begin(method, givenTrace(context, res, req));
    const isNoted = context.accessLog !== undefined || this.#span !== undefined;
    this.#facts = isNoted ? this.#factsOf(req, method) : undefined;
    context.stats.openResponses++;
    this.#bounded = context.underWay === undefined || peer !== undefined ? undefined : this.client;
    if (this.#bounded !== undefined) context.underWay!.begin(this.#bounded);
  }

  /** Address of the client, whoever has passed its request on; '' when it is asked for first after the end. */
  get client(): string {
    if (this.#client === undefined && !this.over) {
      this.#client = this.#context.clients.of(this.#res, this.#suspended ? undefined : this.#req);
    }
    return this.#client ?? '';
  }

  get cause(): Cause {
    return this;
  }

  get requestId(): string {
    this.#requestId ??= (this.#suspended ? undefined : this.#givenId) ?? nextRequestId();
    return this.#requestId;
  }

  follow(to: string, url: string): Followed | undefined {
    return this.#span?.follow(to, url);
  }

  /** As in `RequestSpan`; undefined for a request that is not followed. */
  get traceparent(): string | undefined {
    return this.#span?.traceparent;
  }

  /** Within the handler of the request. */
  get #givenId(): string | undefined {
    return givenRequestId(this.#context, this.#res, this.#req);
  }

  /** The answer has not been given within the handler of its request. */
  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** What the heads of all answers to the same URL end with. */
  get lastLines(): string {
    return this.bearsTokens ? NO_REFERRER : '';
  }

  /** The socket's side, for the delivery of a body. */
  get transport(): Transport {
    return this.#res;
  }

  /** The gate's number of the connection where its bytes are what is written to it; else 0. */
  get plainSocket(): number {
    return this.#isPlain ? this.#socket : 0;
  }

  /** The gate's number of the connection; 0 when it is not guarded. */
  get connection(): number {
    return this.#socket;
  }

  /** The answer goes on after the handler of its request. */
  suspend(): void {
    if (this.#suspended || this.over) return;
    // Whom a proxy names can't be read later.
    if (this.#context.clients.areNamed(this.#req)) void this.client;
    this.#requestId ??= this.#givenId;
    this.#suspended = true;
    this.#res.onAborted(() => {
      this.#body?.left();
      this.#end(this.#body?.sent ?? 0, this.#cut ? 'cut' : 'left');
    });
  }

  /**
   * What `write` writes goes out as one.
   * @throws whatever `write` throws
   */
  cork(write: () => void): void {
    // The front end has corked the handler of the request.
    if (!this.#suspended) {
      write();
      return;
    }
    let failure: { error: unknown } | undefined;
    this.#res.cork(() => {
      try {
        write();
      } catch (error) {
        // Not to be thrown through the front end.
        failure = { error };
      }
    });
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Writes status and fields.
   * @param outcome of an answer from an object
   * @param cache value of Cache-Status
   * @param lines further fields, as `fieldLine` makes them
   */
  head(status: number, outcome: CacheOutcome | undefined, fields: FieldBlock, cache: string, lines: string): void {
    this.#writeHead(status, outcome, fields, this.#cors, cache, undefined, undefined, lines);
  }

  /** Writes status and fields of another edge's answer, which has said for itself which web pages may read it. */
  relayedHead(status: number, fields: FieldBlock, cache: string, lines: string): void {
    this.#writeHead(status, 'peer', fields, undefined, cache, undefined, undefined, lines);
  }

  #writeHead(
    status: number,
    outcome: CacheOutcome | undefined,
    fields: FieldBlock,
    cors: FieldBlock | undefined,
    cache: string,
    age: number | undefined,
    part: RangeOfFile | undefined,
    lines: string,
  ): void {
    this.#status = status;
    this.#outcome = outcome;
    this.#ttfb = (performance.now() - this.#started) / 1000;
    this.#context.observeTtfb?.(this.#ttfb);
    headWriter.begin(fields.start(status, cache, age));
    if (part !== undefined) {
      headWriter.text(RANGE);
      headWriter.number(part.start);
      headWriter.text('-');
      headWriter.number(part.end - 1);
      headWriter.text('/');
      headWriter.number(part.size);
    }
    if (lines !== '') headWriter.text(lines);
    if (cors !== undefined) headWriter.text(cors.lines);
    if (this.#isLast || this.#context.course.draining) headWriter.text(CLOSE);
    if (this.#peer !== undefined) headWriter.text(fieldLine(PEER_FIELD, this.#peer.voucher(status)));
    if (this.bearsTokens) headWriter.text(this.lastLines);
    this.#res.writeStatus(headWriter.bytes);
  }

  /**
   * Writes status and fields of an answer from an object.
   * @param age seconds since the origin vouched for the object
   * @param part of the file, where the answer is not the whole
   * @param lines further fields, as `fieldLine` makes them
   */
  objectHead(
    status: number,
    outcome: CacheOutcome,
    age: number,
    fields: FieldBlock,
    part: RangeOfFile | undefined,
    lines = '',
  ): void {
    this.#writeHead(status, outcome, fields, this.#cors, cacheStatus(outcome), wholeSeconds(age), part, lines);
  }

  /** Ends an answer that has no body, after its head. */
  endEmpty(): void {
    this.#res.endWithoutBody();
    this.ended(0);
  }

  /** The body has been sent whole. */
  ended(bytes: number): void {
    this.#end(bytes, 'whole');
  }

  /** The connection goes on in another protocol, until `ended`; the front end writes what says so. */
  switched(): void {
    this.#status = 101;
    this.#ttfb = (performance.now() - this.#started) / 1000;
    this.#context.observeTtfb?.(this.#ttfb);
    this.#suspended = true;
  }

  /** Closes the connection without an answer, behind which the front end would read on; counts as `status`. */
  abandon(status: number): void {
    this.#status = status;
    this.#cut = true;
    this.suspend();
    this.#res.close();
  }

  /** A short text as the whole answer. */
  text(status: number, message: string, cache: string, fields: readonly Field[]): void {
    const page = this.#context.errorPages.get(status);
    if (status >= 400) this.#error ??= message;
    const body = page?.bytes ?? Buffer.from(`${message}\n`);
    const isUnderstood = !NOT_UNDERSTOOD.has(status);
    if (!isUnderstood || status === 405) this.#isLast ||= this.#hasEnoughFaults(isUnderstood);
    const block = new FieldBlock([
      ['Content-Type', page?.type ?? 'text/plain; charset=utf-8'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Cache-Control', 'no-store'],
      ...this.#context.common.filter(([name]) => name.toLowerCase() !== 'cache-control'),
      ...fields,
      ...(status >= 400 ? [['X-Request-Id', this.requestId] as const] : []),
    ]);
    this.head(status, undefined, block, cache, this.#isHead ? fieldLine('Content-Length', body.length) : '');
    if (this.#isHead) {
      this.endEmpty();
    } else {
      this.#res.end(body);
      this.#context.stats.responseBytes += body.length;
      this.ended(body.length);
    }
  }

  /** Answers a player that knows no chunks, in place of a file of unknown length. */
  refuseOld(): void {
    const message = 'a file of unknown length needs HTTP/1.1, because its length is not known before its end';
    this.text(505, message, 'moovedge; detail=version', []);
  }

  /** Counts a wrong request; returns whether its connection has had enough of them. */
  #hasEnoughFaults(isUnderstood: boolean): boolean {
    const { clients, gate } = this.#context;
    // What one client of a proxy does wrong is not to close the connection of others. Later the request can't be read.
    const isShared = isUnderstood && !this.#suspended && clients.isPassedOn(this.#res, this.#req);
    return !isShared && gate.refuses(this.#socket, isUnderstood);
  }

  /** Becomes the error's answer, or a closed connection when the head has been written. */
  fail(error: unknown): void {
    if (this.over) return;
    const { code, status, message, options, cause } = asEdgeError(error);
    this.#error = `${code}: ${options.reason ?? options.trouble?.found ?? message}`;
    if (code === 'internal') {
      const fields = { id: this.requestId, error: cause ?? error };
      this.#context.log.error(fields, 'an answer failed');
    }
    const isCut = this.#ttfb !== undefined;
    const sent = options.answer?.status ?? status;
    const isTold = ABOUT_THE_FILE.has(code) || (sent >= 500 && code !== 'only_if_cached');
    if (isCut || isTold) this.#tell(asEdgeError(error), isCut);
    if (isCut) {
      this.suspend();
      this.#cut = true;
      this.#res.close();
      return;
    }
    const { answer } = options;
    if (answer?.body !== undefined && !this.#context.errorPages.has(answer.status)) {
      this.cork(() => this.#pass(answer, answer.body!, `moovedge; detail=${code}`));
      return;
    }
    const fields: Field[] = Object.entries(options.headers ?? {});
    if (options.retryAfter !== undefined)
      fields.push(['Retry-After', String(Math.max(0, Math.ceil(options.retryAfter)))]);
    this.cork(() => this.text(sent, message, `moovedge; detail=${code}`, fields));
  }

  /** An answer of the origin, as it is. */
  #pass({ status, fields, vouched }: PassedAnswer, body: Uint8Array, cache: string): void {
    const block = this.#context.representations.passed(status, fields);
    const age = vouched === undefined ? '' : fieldLine('Age', wholeSeconds((Date.now() - vouched) / 1000));
    const isBodiless = status === 204 || status === 205;
    const length = this.#isHead && !isBodiless ? fieldLine('Content-Length', body.length) : '';
    const id = status >= 400 ? fieldLine('X-Request-Id', this.requestId) : '';
    this.head(status, undefined, block, cache, age + length + id);
    if (this.#isHead || isBodiless) this.endEmpty();
    else {
      this.#res.end(body);
      this.#context.stats.responseBytes += body.length;
      this.ended(body.length);
    }
  }

  /** Leaves a line in the log of an answer that ends badly. */
  #tell({ code, status, message, options }: EdgeError, isCut: boolean): void {
    const { origin, url: originUrl, expected, found } = options.trouble ?? NO_TROUBLE;
    const { url, sent } = this.#body ?? {};
    const answer = isCut ? { cut: sent } : { status: options.answer?.status ?? status };
    this.#context.badEnds.warn(
      `${origin} ${code} ${isCut}`,
      { id: this.requestId, url, ...answer, code, origin, originUrl, expected, found: found ?? message },
      isCut ? 'an answer was cut' : 'an answer was an error',
    );
  }

  #end(bytes: number, end: AccessEntry['end']): void {
    this.over = true;
    const { stats, counts, hottest, underWay } = this.#context;
    if (this.#bounded !== undefined) underWay!.end(this.#bounded);
    const byStatus = stats.requests[this.#outcome ?? 'none'];
    byStatus[this.#status] = (byStatus[this.#status] ?? 0) + 1;
    counts.requests[Math.floor(this.#status / 100)]!++;
    counts.bytes += bytes;
    stats.openResponses--;
    if (end === 'left') stats.abortedResponses++;
    if (end === 'cut') stats.cutResponses++;
    const key = this.#body?.key;
    if (key !== undefined) hottest?.add(key, bytes);
    this.#peer?.ended(bytes);
    if (this.#facts !== undefined) this.#note(this.#facts, bytes, end);
    this.#context.gate.answered(this.#socket);
    this.#context.course.quiet();
  }

  /** Tells the access log and whoever follows the request. */
  #note(facts: RequestFacts, bytes: number, end: AccessEntry['end']): void {
    const { counts, accessLog } = this.#context;
    const entry = accessEntry(facts, {
      status: this.#status,
      bytes,
      seconds: (performance.now() - this.#started) / 1000,
      ttfb: this.#ttfb,
      end,
      outcome: this.#outcome,
      origin: this.#body?.origin,
      route: routeName(counts),
      error: this.#error ?? { whole: undefined, left: 'the client left', cut: 'the answer was cut' }[end],
    });
    accessLog?.(entry);
    this.#span?.end(entry);
  }

  #factsOf(req: FrontRequest, method: string): RequestFacts {
    return requestFacts(req, {
      time: Date.now(),
      id: this.requestId,
      client: this.client,
      method,
      protocol: req.protocol ?? (this.isOld ? 'HTTP/1.0' : 'HTTP/1.1'),
    });
  }
}

/** A span of time as fields have it: whole seconds, at least 0 (RFC 9110 section 10.2.3, RFC 9111 section 1.2.2). */
function wholeSeconds(time: number): number {
  return Math.max(0, Math.floor(time));
}
