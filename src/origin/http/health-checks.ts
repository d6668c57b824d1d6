import type { Log } from '../../base/log.js';
import type { HttpTransport, TransportExchange } from './transport.js';

/** How servers are asked whether they are well. Times in milliseconds. */
export interface HealthOptions {
  /** Path, and perhaps a query, below the base URL of each server. */
  readonly path: string;
  readonly interval: number;
  /** For the head of an answer. */
  readonly timeout: number;
  /** Bad answers in a row after which a server is down, and good ones after which it is up again. */
  readonly failures: number;
  readonly successes: number;
}

/** What the checks have found of a server. */
export interface ServerHealth {
  /** Undefined before the first answer. */
  readonly isUp: boolean | undefined;
  /** Status of the last answer, or what there was in its place. */
  readonly last: number | string | undefined;
  /** Milliseconds since 1970. */
  readonly checkedAt: number | undefined;
}

/** A server that is checked. */
export interface CheckedServer {
  readonly base: URL;
  health: ServerHealth | undefined;
}

/** What checks need. */
export interface HealthContext {
  readonly client: HttpTransport;
  /** Fields of each request; names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  readonly servername: string | undefined;
  /** Called when a server has answered well. */
  readonly answered: (server: CheckedServer) => void;
  readonly log: Log;
}

/** Bytes of the body of an answer that are read so that its connection can be kept, and for how long. */
const DRAIN_BYTES = 64 * 1024;
const DRAIN_TIME = 1000;

/** Asks the servers of an origin again and again whether they are well: active health, beside that of breakers. */
export class HealthChecks {
  readonly #options: HealthOptions;
  readonly #context: HealthContext;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #underWay = new Set<TransportExchange>();

  constructor(servers: readonly CheckedServer[], options: HealthOptions, context: HealthContext) {
    this.#options = options;
    this.#context = context;
    servers.forEach((server, i) => {
      server.health = { isUp: undefined, last: undefined, checkedAt: undefined };
      const course: Course = { server, good: 0, bad: 0 };
      // Spread over the interval, so that a process does not ask all at once.
      this.#later(course, Math.floor((options.interval * i) / servers.length));
    });
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const exchange of this.#underWay) exchange.cancel();
  }

  #later(course: Course, milliseconds: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#check(course);
    }, milliseconds);
    timer.unref();
    this.#timers.add(timer);
  }

  #check(course: Course): void {
    const { base } = course.server;
    const { client, fields, servername } = this.#context;
    let isOver = false;
    const ended = (last: number | string) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      this.#timers.delete(timer);
      this.#underWay.delete(exchange);
      this.#judge(course, last);
      this.#later(course, this.#options.interval);
    };
    const exchange = client.send(
      base.origin,
      `${base.pathname.replace(/\/+$/, '')}${this.#options.path}`,
      { ...fields, 'user-agent': 'moovedge-health' },
      {
        sent() {},
        answered(status) {
          exchange.drain(DRAIN_BYTES, DRAIN_TIME);
          ended(status);
        },
        bytes() {},
        ended() {},
        failed: kind => ended(kind),
      },
      servername,
    );
    this.#underWay.add(exchange);
    const timer = setTimeout(() => {
      exchange.cancel();
      ended('timeout');
    }, this.#options.timeout);
    timer.unref();
    this.#timers.add(timer);
  }

  #judge(course: Course, last: number | string): void {
    const { failures, successes } = this.#options;
    const { server } = course;
    const isGood = typeof last === 'number' && last >= 200 && last < 400;
    course.good = isGood ? course.good + 1 : 0;
    course.bad = isGood ? 0 : course.bad + 1;
    const before = server.health?.isUp;
    let isUp = before;
    if (course.bad >= failures) isUp = false;
    else if (course.good >= (before === false ? successes : 1)) isUp = true;
    server.health = { isUp, last, checkedAt: Date.now() };
    if (isGood && isUp) this.#context.answered(server);
    if (isUp === before || (before === undefined && isUp)) return;
    const url = `${server.base.origin}${server.base.pathname}`;
    if (isUp) this.#context.log.info({ url, last }, 'the origin server answers its health check again');
    else this.#context.log.warn({ url, last }, 'the origin server fails its health check');
  }
}

/** Answers in a row. */
interface Course {
  readonly server: CheckedServer;
  good: number;
  bad: number;
}
