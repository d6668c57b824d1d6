/**
 * A programmable HTTP/1.1 origin. Without faults it is a well-behaved static server (Range, validators, all
 * preconditions, HEAD, keep-alive) whose bodies are the pure function of ./content.ts; `fault` makes it misbehave for
 * chosen requests, in any way, at any byte. It speaks over raw sockets, so nothing mends what a fault breaks.
 *
 *   const origin = await FaultOrigin.start(); // or start({ tls: selfSigned() }) origin.put('/film.mp4', { size:
 *   10_000_000 }); // content of version 'v1'; put again to change it in place origin.put('/clip.mp4', { bytes:
 *   readFileSync(…) }); // or given bytes origin.fault(faults.reset(1000), { path: '/film.mp4', skip: 1, times: 1 }); …
 *   fetch `${origin.url}/film.mp4` … origin.requests // what was asked, answered and sent
 *   origin.bytesSent('/film.mp4'), origin.timesSent('/film.mp4') // totals; how often each block was sent await
 *   origin.requested(3); await origin.settled(); // instead of sleeping await origin.refuse(); await origin.accept();
 *   // ECONNREFUSED, and back on the same port await origin.close();
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { contentAt } from './content.js';
import { type Gate, sendAnswer } from './fault-answer.js';
import { type Plan, parseRequest, planAnswer, type SeenRequest, type StoredFile } from './fault-plan.js';
import type { Fault } from './faults.js';

export type { Plan, SeenRequest } from './fault-plan.js';
export { type Fault, faults } from './faults.js';

/** What a path holds. Either `size` (bytes, content of `version`) or `bytes`. */
export interface PutOptions {
  readonly size?: number;
  readonly bytes?: Uint8Array;
  /** Default 'v1'. Decides content, ETag and Last-Modified. */
  readonly version?: string;
  /** Content-Type; default video/mp4. */
  readonly type?: string;
  /** Entity tag with quotes; null for none; default made of version and size. */
  readonly etag?: string | null;
  /** Last-Modified; null for none; default a date made of the version. */
  readonly lastModified?: string | null;
  /** Further fields. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Which requests a fault befalls: all by default. */
export interface When {
  readonly path?: string;
  /** Default any method. */
  readonly method?: string;
  /** So many matching requests go unharmed first. */
  readonly skip?: number;
  /** Befalls so many requests; default all. */
  readonly times?: number;
  readonly when?: (request: SeenRequest) => boolean;
}

/** A fault that has been laid. */
export interface LaidFault {
  /** Requests that it befell. */
  readonly hits: number;
  remove(): void;
}

interface Rule extends LaidFault {
  readonly fault: Fault;
  readonly where: When;
  hits: number;
  seen: number;
}

/** See the head of this file. */
export class FaultOrigin {
  /** Every request, in order of arrival. */
  readonly requests: SeenRequest[] = [];
  /** Connections accepted since the start. */
  connections = 0;
  /** Most requests that were being answered at one moment. */
  peak = 0;
  #tls: { cert: string; key: string } | undefined;
  readonly #files = new Map<string, StoredFile>();
  readonly #sockets = new Set<Socket>();
  #rules: Rule[] = [];
  #server: Server | undefined;
  #port = 0;
  #active = 0;
  #watchers: (() => void)[] = [];
  readonly #gates = new Set<Gate>();

  private constructor(tls: { cert: string; key: string } | undefined) {
    this.#tls = tls;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(options: { tls?: { cert: string; key: string } } = {}): Promise<FaultOrigin> {
    const origin = new FaultOrigin(options.tls);
    await origin.accept();
    return origin;
  }

  /** Base URL without a slash at its end. */
  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Requests that are being answered at this moment. */
  get active(): number {
    return this.#active;
  }

  /** Open connections at this moment. */
  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Stores an object, or changes it in place. */
  put(path: string, options: PutOptions): void {
    const version = options.version ?? 'v1';
    const size = options.bytes?.length ?? options.size ?? 0;
    const day =
      1_600_000_000_000 + ([...version].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 0) % 1000) * 86_400_000;
    this.#files.set(path, {
      size,
      read: options.bytes
        ? (start, end) => options.bytes!.subarray(start, end)
        : (start, end) => contentAt(path, version, start, end),
      type: options.type ?? 'video/mp4',
      etag: options.etag === undefined ? `"${version}-${size}"` : (options.etag ?? undefined),
      lastModified:
        options.lastModified === undefined ? new Date(day).toUTCString() : (options.lastModified ?? undefined),
      headers: options.headers ?? {},
    });
  }

  delete(path: string): void {
    this.#files.delete(path);
  }

  /** Lays a fault. Several may befall one request; they apply in the order in which they were laid. */
  fault(fault: Fault, where: When = {}): LaidFault {
    const rule: Rule = {
      fault,
      where,
      hits: 0,
      seen: 0,
      remove: () => {
        this.#rules = this.#rules.filter(other => other !== rule);
      },
    };
    this.#rules.push(rule);
    return rule;
  }

  /** Removes all faults and lets go of what is stalled. */
  heal(): void {
    this.#rules = [];
    this.release();
  }

  /** Lets every stalled answer go on. */
  release(): void {
    for (const gate of [...this.#gates]) gate.open();
  }

  /** Forgets the requests seen so far. */
  forget(): void {
    this.requests.length = 0;
    this.peak = this.#active;
  }

  /** Requests for a path (all paths when undefined). */
  requestsFor(path?: string): SeenRequest[] {
    return this.requests.filter(request => path === undefined || request.path === path);
  }

  /** Bytes of body sent for a path (all paths when undefined). */
  bytesSent(path?: string): number {
    return this.requestsFor(path).reduce((sum, request) => sum + request.bytes, 0);
  }

  /** How often each block of a path was sent, wholly or in part: index = block. */
  timesSent(path: string, blockSize = 256 * 1024): number[] {
    const times: number[] = [];
    for (const { status, offset, bytes } of this.requestsFor(path)) {
      if ((status !== 200 && status !== 206) || bytes === 0) continue;
      for (let block = Math.floor(offset / blockSize); block * blockSize < offset + bytes; block++) {
        while (times.length <= block) times.push(0);
        times[block]!++;
      }
    }
    return times;
  }

  /** Settles when at least `count` requests have come since the start (or `forget`). */
  requested(count: number): Promise<void> {
    return this.#until(() => this.requests.length >= count);
  }

  /** Settles when nothing is being answered. */
  settled(): Promise<void> {
    return this.#until(() => this.#active === 0);
  }

  /** Stops listening and drops every connection: connections are refused until `accept`. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /**
   * Listens again, on the same port. @param tls another certificate to show from then on, for an origin that has one
   */
  async accept(tls = this.#tls): Promise<void> {
    if (this.#server) return;
    this.#tls = tls;
    const serve = (socket: Socket) => this.#serve(socket);
    const server = this.#tls ? createTlsServer(this.#tls, serve) : createServer({ noDelay: true }, serve);
    if (this.#tls) server.on('tlsClientError', () => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    this.heal();
    await this.refuse();
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise(resolve => {
      const watcher = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter(other => other !== watcher);
        resolve();
      };
      this.#watchers.push(watcher);
    });
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #serve(socket: Socket): void {
    const connection = this.connections++;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let received = '';
    let answering = false;
    const next = async () => {
      const end = received.indexOf('\r\n\r\n');
      if (answering || end < 0) return;
      const head = received.slice(0, end);
      received = received.slice(end + 4);
      answering = true;
      await this.#answer(socket, parseRequest(head, connection));
      answering = false;
      if (!socket.destroyed && socket.writable) void next();
    };
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
      void next();
    });
  }

  async #answer(socket: Socket, request: SeenRequest): Promise<void> {
    this.requests.push(request);
    this.peak = Math.max(this.peak, ++this.#active);
    const plan: Plan = planAnswer(this.#files.get(request.path), request);
    for (const rule of this.#rules) {
      const { path, method, skip = 0, times = Number.POSITIVE_INFINITY, when } = rule.where;
      if (path !== undefined && path !== request.path) continue;
      if (method !== undefined && method !== request.method) continue;
      if (when && !when(request)) continue;
      if (rule.seen++ < skip || rule.hits >= times) continue;
      rule.hits++;
      rule.fault(plan, request);
    }
    this.#changed();
    await sendAnswer(socket, request, plan, this.#gates);
    request.done = true;
    this.#active--;
    this.#changed();
  }
}
