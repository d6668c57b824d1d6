import { type ClientRequest, get as getPlainly, type IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import type { Log } from '../../base/log.js';
import { BEGAN_FIELD, LEVELS, readBegan } from '../delivery/link-fields.js';
import type { RingWriter } from '../ring/ring-writer.js';
import { FlvReader } from './flv-reader.js';
import { PulledRing } from './pulled-ring.js';

/** Answered by an edge that has the stream, but no place. */
const NO_PLACE = 503;

/**
 * A server that may have a stream. It is asked by Node's own HTTP: a link is one long answer on a connection of its
 * own, so a pool has nothing to give, and the process that pulls loads nothing for it.
 */
export interface PullSource {
  /** http or https. */
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Id of the edge of the cluster that it is; undefined for others. */
  readonly peer?: string;
  /** Whether an answer is the server's own; any is when left out. */
  isOf?(answer: IncomingMessage): boolean;
  /** Links between the publisher's edge and the one that answers; 0 when left out. */
  levelOf?(answer: IncomingMessage): number;
  /** Those that it names in its place; none when left out. */
  others?(answer: IncomingMessage): readonly PullSource[];
  /** What TLS is spoken with beside the system's authorities. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
}

/** Times in milliseconds. */
export interface PullTimes {
  /** For the head of an answer. */
  readonly answer: number;
  /** Without a byte, until a link is given up. */
  readonly silence: number;
  /** From one try to the next, when a link has broken. */
  readonly retry: number;
  /** Without a byte, or at most since the first frame, until what the server had is taken to be here. */
  readonly settle: number;
  readonly settleMost: number;
}

export const PULL_TIMES: PullTimes = { answer: 3000, silence: 10_000, retry: 500, settle: 60, settleMost: 300 };

/** What a pull is made from. */
export interface PullOptions {
  readonly name: string;
  /** Servers in the order in which they are asked, at each try. */
  sources(): readonly PullSource[];
  /**
   * Makes the ring when the first bytes have come.
   * @param began when the stream did, in milliseconds since 1970; undefined when the server does not say
   * @throws EdgeError
   */
  ring(began: number | undefined): RingWriter;
  /** Milliseconds that viewers wait when nobody has the stream any more. */
  readonly grace: () => number;
  readonly times: PullTimes;
  readonly log: Log;
  /** The stream is here. */
  ready(): void;
  /** It is ready, or a link has begun, perhaps to another server, or ended. */
  moved(): void;
  /** It is over; `found` when it was here. @param why no server has answered that it has the stream, or has it not */
  ended(found: boolean, why?: string): void;
}

/** What another process has left of a stream. */
export interface LeftRing {
  readonly ring: RingWriter;
  /** Timestamps of its last tags, by type. */
  readonly last: ReadonlyMap<number, number>;
  /** Undefined where it is not known. */
  readonly level: number | undefined;
}

/** One stream that another server has, pulled once for all who watch it here. */
export class Pull {
  readonly #options: PullOptions;
  #request: ClientRequest | undefined;
  #ring: RingWriter | undefined;
  #pulled: PulledRing | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When servers were asked last. */
  #triedAt = 0;
  #level: number | undefined;
  #from: string | undefined;
  #isReady = false;
  #isLinked = false;
  /** Links so far. */
  #links = 0;
  #isOver = false;
  /** What has come of asking the last server that was no plain answer. */
  #failure: string | undefined;
  /** When the first frame came. */
  #firstAt: number | undefined;
  /** Since when no link has brought anything. */
  #lostAt: number | undefined;

  /** @param left a ring that another process has left, to go on with */
  constructor(options: PullOptions, left?: LeftRing) {
    this.#options = options;
    if (left !== undefined) this.#use(left);
    this.#isReady = left !== undefined;
    this.#level = left?.level;
    void this.#try();
  }

  /** Number of the link at hand; 0 while there is none. */
  get link(): number {
    return this.#isLinked ? this.#links : 0;
  }

  /** Links between the publisher's edge and this one, by the last link; undefined before the first. */
  get level(): number | undefined {
    return this.#level;
  }

  /** The edge of the cluster that the last link leads to; undefined for another server, or before the first. */
  get from(): string | undefined {
    return this.#from;
  }

  /** Gives a link up, unless another one has begun. */
  unlink(link: number): void {
    if (this.link === link) this.#request?.destroy();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Nobody watches any more, or the stream is published here now. */
  stop(): void {
    this.#end(true);
  }

  /** Lets go of the ring, for another process. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    this.#ring?.leave();
  }

  /** Asks one server after the other, until one has it. */
  async #try(): Promise<void> {
    let wasRefused = true;
    this.#triedAt = performance.now();
    const sources = [...this.#options.sources()];
    for (let source = sources.shift(); source !== undefined; source = sources.shift()) {
      const answer = await this.#ask(source).catch((error: Error) => {
        this.#failure = `${source.url}: ${error.message}`;
        return undefined;
      });
      if (this.#isOver) return;
      const isRight = answer !== undefined && source.isOf?.(answer) !== false;
      const level = isRight ? (source.levelOf?.(answer) ?? 0) : LEVELS;
      if (isRight && answer.statusCode === 200 && level < LEVELS) {
        this.#follow(answer, source.peer, level + 1);
        return;
      }
      if (isRight && answer.statusCode === NO_PLACE) sources.unshift(...(source.others?.(answer) ?? []));
      if (answer !== undefined)
        this.#failure = `${source.url}: ${isRight ? answer.statusCode : 'no answer of that edge'}`;
      answer?.destroy();
      wasRefused &&= isRight && answer.statusCode === 404;
    }
    if (this.#ring === undefined && wasRefused) this.#end(false);
    else this.#tryAgain();
  }

  /** Unless nothing has come for too long. */
  #tryAgain(): void {
    this.#lostAt ??= performance.now();
    const waits = this.#ring === undefined ? this.#options.times.answer : this.#options.grace();
    if (performance.now() - this.#lostAt > waits) this.#end(this.#ring !== undefined, this.#failure);
    else {
      // At once when a link breaks that has lasted.
      const pause = this.#triedAt + this.#options.times.retry - performance.now();
      this.#timer = setTimeout(() => void this.#try(), Math.max(0, pause));
    }
  }

  #ask({ url, fields, tls }: PullSource): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { agent: false, headers: fields, timeout: this.#options.times.silence };
      const request = url.startsWith('https:')
        ? getSecurely(url, { ...options, ...(tls && { ...tls, checkServerIdentity: () => undefined }) }, resolve)
        : getPlainly(url, options, resolve);
      this.#request = request;
      const late = setTimeout(() => request.destroy(new Error('no answer in time')), this.#options.times.answer);
      request.once('response', () => clearTimeout(late));
      // Silence later on, too.
      request.once('timeout', () => request.destroy(new Error('silence')));
      request.on('error', error => {
        clearTimeout(late);
        reject(error);
      });
    });
  }

  #follow(answer: IncomingMessage, from: string | undefined, level: number): void {
    let isBegun = false;
    this.#isLinked = true;
    this.#links++;
    this.#level = level;
    this.#from = from;
    this.#options.moved();
    const began = readBegan(answer.headers[BEGAN_FIELD]);
    const reader = new FlvReader((type, timestamp, body) => {
      if (this.#ring === undefined) this.#use({ ring: this.#options.ring(began) });
      if (!isBegun) this.#pulled!.begin();
      isBegun = true;
      this.#pulled!.take(type, timestamp, body);
    });
    answer.on('data', (chunk: Buffer) => {
      if (this.#isOver) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#options.log.warn({ stream: this.#options.name, error }, 'what is pulled is no live stream');
        answer.destroy();
        return;
      }
      if (this.#pulled?.hasTags !== true) return;
      this.#lostAt = undefined;
      if (!this.#isReady) this.#settle();
    });
    answer.once('error', () => {});
    answer.once('close', () => this.#lose());
  }

  /** Viewers are let in when what has been there before is here, so that they don't begin with what is old. */
  #settle(): void {
    const now = performance.now();
    this.#firstAt ??= now;
    const { settle, settleMost } = this.#options.times;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#welcome(), Math.min(settle, Math.max(0, this.#firstAt + settleMost - now)));
  }

  #welcome(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.ready();
    this.#options.moved();
  }

  #lose(): void {
    if (this.#isOver) return;
    this.#isLinked = false;
    clearTimeout(this.#timer);
    if (this.#pulled?.hasTags === true) this.#welcome();
    this.#options.moved();
    this.#tryAgain();
  }

  #use({ ring, last }: Partial<LeftRing> & Pick<LeftRing, 'ring'>): void {
    this.#ring = ring;
    this.#pulled = new PulledRing(ring, last);
    ring.setState('publishing');
  }

  #end(found: boolean, why?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    this.#ring?.close();
    this.#options.ended(found, why);
  }

  #letGo(): void {
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }
}
