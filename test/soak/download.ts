import { type Agent, get, type IncomingMessage, request as send } from 'node:http';
import type { Answers, Expected, Library, Title } from './library.js';
import { count, type Ending, type Tally } from './tally.js';

/**
 * Milliseconds without a byte, while the player reads, after which an answer hangs: the edge's own limits for the
 * origin add up to less.
 */
const HANG = 60_000;
/** Multipart bodies are gathered whole. */
const GATHERED_MAX = 2 ** 20;

/** What a player asks for, and how it reads. */
export interface Ask {
  readonly title: Title;
  /** `start=SECONDS`, or empty. */
  readonly query: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** The single range asked for; `end` may lie past the file's. */
  readonly range?: { readonly start: number; readonly end: number };
  /** Bytes of body after which the player leaves. */
  readonly leaveAfter?: number;
  /** Called after each piece; milliseconds that the player reads nothing then. */
  readonly rest?: (received: number) => number;
}

/** What came of it. */
export interface Outcome {
  readonly ending: Ending;
  readonly status: number;
  readonly etag: string | undefined;
  /** Bytes of body. */
  readonly received: number;
}

/** Asks the edge and verifies every byte of what it says. */
export class Downloader {
  readonly #active = new Set<Download>();
  readonly #watch: NodeJS.Timeout;

  constructor(
    readonly port: number,
    readonly library: Library,
    readonly tally: Tally,
  ) {
    this.#watch = setInterval(() => {
      for (const download of this.#active) download.look();
    }, 1000);
  }

  /** Never rejects; a request that finds its kept connection closed is made again, as RFC 9112 section 9.3.1 has it. */
  async fetch(ask: Ask, agent: Agent | false): Promise<Outcome> {
    const { calm } = this.tally;
    const answers = await this.library.answers(ask.title, ask.query);
    for (;;) {
      const download = new Download(this, ask, answers, agent);
      this.#active.add(download);
      const outcome = await download.outcome;
      this.#active.delete(download);
      if (outcome === 'again') continue;
      this.tally.requests++;
      this.tally.endings[outcome.ending]++;
      if (outcome.status > 0) count(this.tally.statuses, outcome.status);
      if (calm !== undefined && ['cut', 'unanswered', 'refused'].includes(outcome.ending)) count(calm, outcome.ending);
      if (calm !== undefined && outcome.status >= 500) count(calm, outcome.status);
      return outcome;
    }
  }

  /** Leaves all answers under way. */
  stop(): void {
    clearInterval(this.#watch);
    for (const download of this.#active) download.leave();
  }
}

class Download {
  readonly outcome: Promise<Outcome | 'again'>;
  readonly #owner: Downloader;
  readonly #ask: Ask;
  readonly #answers: Answers;
  readonly #request;
  #settle!: (outcome: Outcome | 'again') => void;
  #response: IncomingMessage | undefined;
  /** The versions that it may be of, all of one size: several while no byte has told them apart. */
  #expected: readonly Expected[] = [];
  #gathered: Buffer[] | undefined;
  #offset = 0;
  #received = 0;
  #length = 0;
  #left = false;
  #over = false;
  #rest: NodeJS.Timeout | undefined;
  #lastByte = performance.now();

  constructor(owner: Downloader, ask: Ask, answers: Answers, agent: Agent | false) {
    this.#owner = owner;
    this.#ask = ask;
    this.#answers = answers;
    this.outcome = new Promise(resolve => {
      this.#settle = resolve;
    });
    const { title, query, method = 'GET', range } = ask;
    const headers: Record<string, string> = { ...ask.headers };
    if (range !== undefined) {
      const last = Number.isFinite(range.end) ? range.end - 1 : '';
      headers.Range = `bytes=${range.start}-${last}`;
    }
    const path = query === '' ? title.path : `${title.path}?${query}`;
    const start = method === 'GET' ? get : send;
    this.#request = start({ host: '127.0.0.1', port: owner.port, path, method, headers, agent }, response => {
      this.#begin(response);
    });
    if (method === 'HEAD') this.#request.end();
    this.#request.on('error', error => this.#failed(error));
  }

  /** Counts a hang when nothing has come for too long. */
  look(): void {
    if (this.#rest !== undefined || performance.now() - this.#lastByte < HANG) return;
    this.#owner.tally.hangs++;
    this.#owner.tally.violation(`${this.#name()} hangs after ${this.#received} of ${this.#length} bytes`);
    this.leave();
  }

  leave(): void {
    this.#left = true;
    this.#end('left');
    this.#request.destroy();
  }

  #name(): string {
    const { title, query, method = 'GET', range, headers } = this.#ask;
    return `${method} ${title.path}?${query} ${range ? `${range.start}-${range.end}` : ''} ${JSON.stringify(headers ?? {})}`;
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#over) return;
    if (this.#response === undefined && this.#request.reusedSocket && !this.#left) this.#conclude('again');
    else if (this.#response !== undefined) this.#end('cut');
    else this.#end(error.code === 'ECONNREFUSED' ? 'refused' : 'unanswered');
  }

  #end(ending: Ending): void {
    this.#conclude({
      ending,
      status: this.#response?.statusCode ?? 0,
      etag: this.#response?.headers.etag,
      received: this.#received,
    });
  }

  #conclude(outcome: Outcome | 'again'): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#rest);
    this.#settle(outcome);
  }

  #wrong(text: string): void {
    this.#owner.tally.violation(`${this.#name()}: ${text}`);
    this.leave();
  }

  #begin(response: IncomingMessage): void {
    this.#response = response;
    this.#lastByte = performance.now();
    const { statusCode: status = 0 } = response;
    response.on('error', error => this.#failed(error));
    response.on('close', () => this.#failed(new Error('closed')));
    if (status === 200 || status === 206) this.#check(response, status);
    else this.#deny(response, status);
  }

  /** Answers without bytes of the file. */
  #deny(response: IncomingMessage, status: number): void {
    response.resume();
    const { headers, range } = this.#ask;
    const asked = status === 304 && headers?.['If-None-Match'] !== undefined;
    const outside = status === 416 && range !== undefined && range.start > 0;
    if (!asked && !outside && !this.#answers.statuses.has(status) && ![502, 503, 504].includes(status)) {
      this.#wrong(`status ${status} is not to be expected`);
      return;
    }
    response.on('end', () => this.#end(status === 304 ? 'not modified' : 'denied'));
  }

  #check(response: IncomingMessage, status: number): void {
    const { headers } = response;
    const isSeveral = headers['content-type']?.startsWith('multipart/byteranges') === true;
    if (isSeveral) this.#gathered = [];
    const total = status === 200 ? headers['content-length'] : headers['content-range']?.split('/')[1];
    const tagged = this.#answers.byEtag.get(headers.etag ?? '');
    const expected = tagged === undefined ? this.#ofSize(Number(total)) : [tagged];
    if (expected.length === 0 && !(isSeveral && this.#isDoubted)) {
      this.#wrong(`the answer is of no known version: ETag ${headers.etag}`);
      return;
    }
    this.#expected = expected;
    this.#length = Number(headers['content-length']);
    const mistake = this.#mistakeOf(response, status, isSeveral, expected[0]?.size);
    if (mistake !== undefined) {
      this.#wrong(`${mistake}, in ${headers.etag}`);
      return;
    }
    response.on('data', (bytes: Buffer) => this.#take(bytes));
    response.on('end', () => {
      const isWhole = this.#ask.method === 'HEAD' || this.#received === this.#length;
      if (isWhole && this.#gathered !== undefined) this.#checkParts(headers['content-type']!, expected);
      this.#end(isWhole ? 'whole' : 'cut');
    });
  }

  /**
   * Whether the edge may have lost its trust in the origin's validators, since one gave way soon to another: then each
   * fetch is a version of its own, with a tag of the edge's, for as long as it is fresh.
   */
  get #isDoubted(): boolean {
    return this.#ask.title.changed > Number.NEGATIVE_INFINITY;
  }

  /** What files of a size hold, where tags do not tell versions. */
  #ofSize(size: number): Expected[] {
    if (!this.#isDoubted) return [];
    return [...this.#answers.byEtag.values()].filter(expected => expected.size === size);
  }

  /** What is wrong with the fields that tell how much comes. @param size of the file; undefined when parts tell */
  #mistakeOf(response: IncomingMessage, status: number, isSeveral: boolean, size: number | undefined) {
    if (isSeveral) return this.#length <= GATHERED_MAX ? undefined : `a multipart body of ${this.#length} bytes`;
    return status === 200 ? this.#checkLength(size!) : this.#checkRange(response, size!);
  }

  /** What is wrong with the length that was announced. */
  #checkLength(length: number): string | undefined {
    return this.#length === length ? undefined : `Content-Length ${this.#length}, not ${length}`;
  }

  /** What is wrong with the fields of a 206. */
  #checkRange({ headers }: IncomingMessage, size: number): string | undefined {
    const { range } = this.#ask;
    if (range === undefined) return 'one range, which was not asked for';
    const end = Math.min(range.end, size);
    const wanted = `bytes ${range.start}-${end - 1}/${size}`;
    if (headers['content-range'] !== wanted) return `Content-Range ${headers['content-range']}, not ${wanted}`;
    this.#offset = range.start;
    return this.#checkLength(end - range.start);
  }

  #take(bytes: Buffer): void {
    if (this.#over) return;
    this.#lastByte = performance.now();
    if (this.#gathered !== undefined) this.#gathered.push(bytes);
    else this.#verify(bytes, this.#offset + this.#received);
    this.#received += bytes.length;
    const { leaveAfter = Number.POSITIVE_INFINITY, rest } = this.#ask;
    if (this.#received >= leaveAfter && this.#received < this.#length) {
      this.leave();
      return;
    }
    const pause = rest?.(this.#received) ?? 0;
    if (pause <= 0) return;
    this.#response?.pause();
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#lastByte = performance.now();
      this.#response?.resume();
    }, pause);
  }

  #verify(bytes: Buffer, offset: number): void {
    const { tally, library } = this.#owner;
    tally.bytesVerified += bytes.length;
    const fitting = this.#expected.filter(({ read }) => bytes.equals(read(offset, offset + bytes.length)));
    if (fitting.length > 0) {
      this.#expected = fitting;
      return;
    }
    const expected = this.#expected[0]!.read(offset, offset + bytes.length);
    const first = bytes.findIndex((byte, i) => byte !== expected[i]);
    const wrong = bytes.reduce((sum, byte, i) => sum + (byte === expected[i] ? 0 : 1), 0);
    tally.wrongBytes += wrong;
    const found = bytes.subarray(first);
    tally.violation(
      `${this.#name()}: ${wrong} wrong bytes from ${offset + first} of ${this.#response?.headers.etag}: ` +
        `found ${found.toString('hex', 0, 16)}, expected ${Buffer.from(expected).toString('hex', first, first + 16)}; ` +
        `${library.origins(found, offset + first)}; ${JSON.stringify(this.#response?.headers)}`,
    );
  }

  /** The parts of a multipart/byteranges body (RFC 9110 section 14.6). */
  #checkParts(type: string, known: readonly Expected[]): void {
    const body = Buffer.concat(this.#gathered ?? []);
    const total = /\r\nContent-Range: bytes \d+-\d+\/(\d+)\r\n/.exec(body.toString('latin1', 0, 512))?.[1];
    const expected = known.length > 0 ? known : this.#ofSize(Number(total));
    if (expected.length === 0) {
      this.#wrong(`parts of ${total} bytes are of no known version`);
      return;
    }
    this.#expected = expected;
    const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
    let at = 0;
    for (;;) {
      const head = body.toString('latin1', at, at + 512);
      if (head.startsWith(`\r\n--${boundary}--`)) return;
      const part = /^(?:\r\n)?--(.+)\r\n(?:.+\r\n)*?Content-Range: bytes (\d+)-(\d+)\/(\d+)\r\n\r\n/.exec(head);
      if (part === null || part[1] !== boundary || Number(part[4]) !== expected[0]!.size) {
        this.#wrong(`a part that is none: ${head.slice(0, 200)}`);
        return;
      }
      const [from, length] = [Number(part[2]), Number(part[3]) - Number(part[2]) + 1];
      at += part[0].length;
      this.#verify(body.subarray(at, at + length), from);
      at += length;
    }
  }
}
