import type { ObjectId } from '../base/block.js';
import { cacheStatus } from '../base/cache-outcome.js';
import { fieldLine } from '../base/field-line.js';
import { expectConstants } from '../base/native.js';
import type { Content, Standing } from '../catalog/content.js';
import type { AccessEntry } from '../observe/access-entry.js';
import type { HotList } from '../observe/hot-list.js';
import type { ClientAddresses } from './client-address.js';
import type { Cors } from './cors.js';
import type { FieldBlock } from './field-block.js';
import type { HttpStats } from './http-stats.js';
import type { ReadyRecord, ReadyRecords } from './ready-records.js';
import { accessEntry, requestFacts } from './request-facts.js';
import { givenRequestId, nextRequestId } from './request-id.js';
import { type RouteCounts, routeName } from './route-counts.js';

/** Milliseconds between two times at which what the gate has answered is counted. */
const INTERVAL = 1000;
/** Milliseconds until the access log is told of further ready answers: while some come, and while none do. */
const SOON = 5;
const LATER = 100;
/** Numbers of each place: answers, bytes, nanoseconds. */
const COUNTS = 3;
expectConstants({ gateReadyCounts: COUNTS });
/** What the front end puts before a status. */
const STATUS_LINE = Buffer.from('HTTP/1.1 ');

/** The memory tier, out of which ready answers are made. */
export interface ReadyKeeper {
  /**
   * Keeps a ready answer for the URL of the request at hand.
   * @param numbers bytes of the object; milliseconds since 1970 at which the origin vouched for it, and until which
   *   the answer is good; two shared counters, each with its value; 1 when answers are to be recorded, else 0
   * @returns its place; negative when it is not kept
   */
  keepReady(id: ObjectId, start: Uint8Array, end: Uint8Array, numbers: Float64Array): number;
}

/** What the gate keeps ready answers by, and counts them. */
export interface ReadyGate {
  /** Numbers of all places. */
  readonly readyCounts: Float64Array;
  /** Of answers that are recorded; undefined where none can be. */
  readonly records: ReadyRecords | undefined;
  /** Forgets all of them. */
  forgetReady(): void;
}

/** An answer that is good for all ranges of one URL, whoever asks for them. */
export interface ReadyOffer {
  readonly standing: Standing;
  /** Bytes of the object. */
  readonly size: number;
  /** Its cache key. */
  readonly key: string;
  /** Name of its origin. */
  readonly origin: string | undefined;
  readonly fields: FieldBlock;
  /** What heads end with, as `fieldLine` makes it. */
  readonly lines: string;
  /** Milliseconds since 1970 after which players are not let in as they were; Infinity for never. */
  readonly until: number;
}

/** What of an `HttpContext` counts: where answers are counted, and what keeps the gate from giving any. */
export interface ReadyContext {
  readonly stats: HttpStats;
  readonly counts: RouteCounts;
  readonly hottest: Pick<HotList, 'add'> | undefined;
  readonly content: Content;
  readonly observeTtfb: ((seconds: number, count?: number) => void) | undefined;
  readonly cors: Cors;
  readonly course: { readonly draining: boolean };
  readonly accessLog: ((entry: AccessEntry) => void) | undefined;
  readonly clients: ClientAddresses;
  readonly tracing: unknown;
  readonly underWay: unknown;
  readonly rates: unknown;
  readonly pacing: unknown;
  readonly routing: unknown;
  readonly peers: unknown;
}

/** For whom a place answers. */
interface Kept {
  readonly context: ReadyContext;
  readonly key: string;
  readonly origin: string | undefined;
}

/**
 * Answers that the gate gives by itself (native/ready_answers.h): ranges of one URL that all have the same answer. Here
 * they are offered, counted and told to the access log as if they had been given here.
 */
export class ReadyAnswers {
  readonly #gate: ReadyGate;
  readonly #keeper: ReadyKeeper;
  readonly #kept = new Map<number, Kept>();
  readonly #timer: NodeJS.Timeout;
  /** Runs once the access log is to be told of answers. */
  #teller: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(gate: ReadyGate, keeper: ReadyKeeper) {
    this.#gate = gate;
    this.#keeper = keeper;
    this.#timer = setInterval(() => this.count(), INTERVAL).unref();
  }

  /** Offers an answer for the URL of the request at hand; within its handler, when the gate wants one. */
  offer(context: ReadyContext, { standing, size, key, origin, fields, lines, until }: ReadyOffer): void {
    const isTold = context.accessLog !== undefined;
    if (this.#closed || !isSameForAll(context) || (isTold && this.#gate.records === undefined)) return;
    const { id, vouched, entry, purges } = standing;
    const times = [whole(vouched), whole(Math.min(until, standing.until))];
    const numbers = Float64Array.of(size, ...times, ...entry, ...purges, isTold ? 1 : 0);
    // The value of Age follows.
    const head = [STATUS_LINE, fields.start(206, cacheStatus('memory'), undefined), Buffer.from(fieldLine('Age', ''))];
    const start = Buffer.concat(head);
    const place = this.#keeper.keepReady(id, start, Buffer.from(lines, 'latin1'), numbers);
    if (place < 0) return;
    const before = this.#kept.get(place);
    if (before !== undefined) {
      this.#tell();
      this.#count(place, before);
    }
    this.#kept.set(place, { context, key, origin });
    if (isTold && this.#teller === undefined) this.#tellIn(LATER);
  }

  /** Counts what has been answered since the last time. */
  count(): void {
    for (const [place, kept] of this.#kept) this.#count(place, kept);
  }

  /** From here on everything is asked for here. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#teller);
    this.#gate.forgetReady();
    this.#tell();
    this.count();
    this.#kept.clear();
  }

  /** Tells the access log of answers now and then. */
  #tellIn(milliseconds: number): void {
    this.#teller = setTimeout(() => this.#tellIn(this.#tell() ? SOON : LATER), milliseconds).unref();
  }

  /** Tells the access log of what has been answered since the last time; returns whether anything has. */
  #tell(): boolean {
    return this.#gate.records?.take(record => this.#note(record)) ?? false;
  }

  #note({ place, time, seconds, bytes, request }: ReadyRecord): void {
    const kept = this.#kept.get(place);
    if (kept === undefined) return;
    const { context, origin } = kept;
    const { clients, counts, accessLog } = context;
    const id = givenRequestId(context, request, request) ?? nextRequestId();
    const known = { time, id, client: clients.of(request, request), method: 'GET', protocol: 'HTTP/1.1' };
    const answer = {
      status: 206,
      bytes,
      seconds,
      ttfb: seconds,
      end: 'whole',
      outcome: 'memory',
      origin,
      route: routeName(counts),
      error: undefined,
    } as const;
    accessLog?.(accessEntry(requestFacts(request, known), answer));
  }

  #count(place: number, { context, key }: Kept): void {
    const counts = this.#gate.readyCounts;
    const at = place * COUNTS;
    const answers = counts[at]!;
    if (answers === 0) return;
    const [bytes, nanoseconds] = [counts[at + 1]!, counts[at + 2]!];
    counts.fill(0, at, at + COUNTS);
    const { stats, hottest, content, observeTtfb } = context;
    const { memory } = stats.requests;
    memory[206] = (memory[206] ?? 0) + answers;
    stats.responseBytes += bytes;
    stats.readyAnswers += answers;
    context.counts.requests[2]! += answers;
    context.counts.bytes += bytes;
    hottest?.add(key, bytes, answers);
    observeTtfb?.(nanoseconds / answers / 1e9, answers);
    content.answered?.(answers);
  }
}

/** Whether nothing is done for each request but what the gate does, too, and no answer differs by who asks. */
function isSameForAll(context: ReadyContext): boolean {
  const { tracing, underWay, rates, pacing, routing, peers, cors, course } = context;
  const each = [tracing, underWay, rates, pacing, routing, peers];
  return each.every(feature => feature === undefined) && !cors.perOrigin && !course.draining;
}

function whole(time: number): number {
  return Math.floor(Math.min(Math.max(0, time), Number.MAX_SAFE_INTEGER));
}
