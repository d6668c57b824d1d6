import type { SecureContext } from 'node:tls';
import { fieldLine, isFieldName, isFieldValue } from '../../../base/field-line.js';
import type { ExchangeSink } from '../../../origin/http/origin-exchange.js';
import type { HttpTransport, TransportExchange } from '../../../origin/http/transport.js';
import { type CarriedSoFar, NOTHING_CARRIED, SecureConduit, WireConduit } from './conduit.js';
import { type Carried, type Connect, type LineOwner, type LineRequest, PeerLine } from './line.js';

/** Options of `Lines`. */
export interface LinesOptions {
  /** Most connections to one edge. */
  readonly connections: number;
  /** Milliseconds for a connection to be made. */
  readonly connectTimeout: number;
  /** Milliseconds that an unused connection is kept. */
  readonly keepAlive: number;
  /** What connections are secured with; plain when left out. */
  readonly tls?: SecureContext | undefined;
}

/** A request to another edge, the body of whose answer may go to a player past its sink; see `PeerLine`. */
export interface PeerExchange extends TransportExchange {
  carry(socket: number, carried: Carried): boolean;
  carriage(): CarriedSoFar;
}

const TARGET = /^\/[\x21-\x7e]*$/;

/**
 * Connections to other edges, over which these are asked as origins are asked over `HttpClient`; but they know what
 * they speak with, so that a byte costs no more than to be read and written. Only what edges say to one another is
 * understood.
 */
export class Lines implements HttpTransport {
  readonly #options: LinesOptions;
  readonly #groups = new Map<string, Group>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: LinesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tidy(), options.keepAlive / 2).unref();
  }

  /**
   * Sends a GET. Of the sink only `sent` may be called from within.
   * @param origin scheme, host and port
   * @param target path and query
   * @param fields of the request; names in lower case
   */
  send(
    origin: string,
    target: string,
    fields: Readonly<Record<string, string>>,
    sink: ExchangeSink,
  ): TransportExchange {
    return this.ask('GET', origin, target, fields, sink);
  }

  /** Sends a GET or HEAD, as `send` does. */
  ask(
    method: 'GET' | 'HEAD',
    origin: string,
    target: string,
    fields: Readonly<Record<string, string>>,
    sink: ExchangeSink,
  ): PeerExchange {
    const exchange = new LineExchange(sink, method === 'HEAD');
    const text = requestText(method, origin, target, fields);
    if (text === undefined) {
      queueMicrotask(() => exchange.failed('invalid', new Error('the request can not be written')));
      return exchange;
    }
    exchange.text = text;
    this.#group(origin).take(exchange);
    return exchange;
  }

  /** Breaks off every exchange (`closed`) and closes every connection. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const group of this.#groups.values()) group.close();
  }

  #group(origin: string): Group {
    let group = this.#groups.get(origin);
    if (group === undefined) {
      group = new Group(connector(origin, this.#options.tls), this.#options);
      this.#groups.set(origin, group);
    }
    return group;
  }

  #tidy(): void {
    const before = performance.now() - this.#options.keepAlive;
    for (const [origin, group] of this.#groups) if (group.tidy(before)) this.#groups.delete(origin);
  }
}

/** The connections to one edge. */
class Group implements LineOwner {
  readonly #connect: Connect;
  readonly #options: LinesOptions;
  readonly #all = new Set<PeerLine>();
  /** The last one is taken first, so that those that are not needed grow old. */
  readonly #idle: PeerLine[] = [];
  readonly #waiting = new Set<LineExchange>();
  #isClosed = false;

  constructor(connect: Connect, options: LinesOptions) {
    this.#connect = connect;
    this.#options = options;
  }

  take(exchange: LineExchange): void {
    const line = this.#idle.pop();
    if (line !== undefined) exchange.go(line);
    else if (this.#all.size < this.#options.connections) this.#open(exchange);
    else {
      this.#waiting.add(exchange);
      exchange.leave = () => this.#waiting.delete(exchange);
    }
  }

  idle(line: PeerLine): void {
    line.idleSince = performance.now();
    const next = this.#next();
    if (next === undefined) this.#idle.push(line);
    else next.go(line);
  }

  closed(line: PeerLine): void {
    this.#all.delete(line);
    const at = this.#idle.indexOf(line);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#isClosed) return;
    const next = this.#next();
    if (next !== undefined) this.#open(next);
  }

  /** Closes what has been idle since before that; true when nothing is left. */
  tidy(before: number): boolean {
    while (this.#idle.length > 0 && this.#idle[0]!.idleSince < before) this.#idle.shift()!.cut();
    return this.#all.size === 0 && this.#waiting.size === 0;
  }

  close(): void {
    this.#isClosed = true;
    const error = Object.assign(new Error('the client is closed'), { code: 'UND_ERR_CLOSED' });
    for (const exchange of this.#waiting) exchange.failed('closed', error);
    for (const line of this.#all) line.close(error);
  }

  #next(): LineExchange | undefined {
    const [next] = this.#waiting;
    if (next !== undefined) this.#waiting.delete(next);
    return next;
  }

  #open(exchange: LineExchange): void {
    const line = new PeerLine(this.#connect, this.#options.connectTimeout, this, exchange);
    exchange.line = line;
    this.#all.add(line);
  }
}

/** One request and its answer, from before it has a connection. */
class LineExchange implements PeerExchange, LineRequest, ExchangeSink {
  text = '';
  line: PeerLine | undefined;
  /** Leaves the queue for a connection. */
  leave: (() => void) | undefined;
  readonly isHead: boolean;
  readonly #sink: ExchangeSink;
  #isOver = false;

  constructor(sink: ExchangeSink, isHead: boolean) {
    this.#sink = sink;
    this.isHead = isHead;
  }

  get sink(): ExchangeSink {
    return this;
  }

  go(line: PeerLine): void {
    this.line = line;
    line.ask(this);
  }

  pause(): void {
    if (!this.#isOver) this.line?.pause();
  }

  resume(): void {
    if (!this.#isOver) this.line?.resume();
  }

  carry(socket: number, carried: Carried): boolean {
    return !this.#isOver && this.line !== undefined && this.line.carry(socket, carried);
  }

  carriage(): CarriedSoFar {
    return this.#isOver || this.line === undefined ? NOTHING_CARRIED : this.line.carriage();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.line === undefined) this.leave?.();
    else this.line.cut();
  }

  drain(bytes: number, ms: number): void {
    if (this.#isOver || this.line === undefined) this.cancel();
    else {
      this.#isOver = true;
      this.line.drain(bytes, ms);
    }
  }

  sent(reused: boolean): void {
    if (!this.#isOver) this.#sink.sent(reused);
  }

  answered(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): void {
    if (!this.#isOver) this.#sink.answered(status, fields);
  }

  bytes(chunk: Uint8Array): void {
    if (!this.#isOver) this.#sink.bytes(chunk);
  }

  ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.ended();
  }

  failed(kind: Parameters<ExchangeSink['failed']>[0], cause: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.failed(kind, cause);
  }
}

function connector(origin: string, secureContext: SecureContext | undefined): Connect {
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  const address = { host, port: Number(port) };
  if (secureContext === undefined) return (buffer, listener) => new WireConduit(address, buffer, listener);
  return (buffer, listener) => new SecureConduit(address, secureContext, buffer, listener);
}

/** A request as it is sent, a character for each octet; undefined when it would be another one there. */
function requestText(
  method: string,
  origin: string,
  target: string,
  fields: Readonly<Record<string, string>>,
): string | undefined {
  if (!TARGET.test(target)) return undefined;
  let text = `${method} ${target} HTTP/1.1${fieldLine('host', origin.slice(origin.indexOf('//') + 2))}`;
  for (const name in fields) {
    const value = fields[name]!;
    if (!isFieldName(name) || !isFieldValue(value)) return undefined;
    if (name !== 'host') text += fieldLine(name, value);
  }
  return `${text}\r\n\r\n`;
}
