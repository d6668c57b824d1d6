import type { AccessRules } from '../access/access-rules.js';
import { type Log, silentLog } from '../base/log.js';
import { Pacer } from '../delivery/pacer.js';
import { type PacingSettings, pacingOf } from '../delivery/pacing.js';
import { StallSweep } from '../delivery/sweep.js';
import type { AccessEntry } from '../observe/access-entry.js';
import type { HotList } from '../observe/hot-list.js';
import { LimitedLog, type ToldLine } from '../observe/limited-log.js';
import type { Tracing } from '../observe/request-span.js';
import type { ViewStage } from '../view/view.js';
import type { Views } from '../view/views.js';
import type { AnswerRouteSettings } from './answer-route.js';
import { ClientAddresses } from './client-address.js';
import { ClientRequests } from './client-requests.js';
import { Cors, type CorsOptions } from './cors.js';
import type { Field } from './field-block.js';
import type { FrontEnd, FrontEndHandler, Guard, TlsFiles } from './front-end.js';
import { Gate, type PortBounds } from './gate.js';
import type { HttpContext } from './http-context.js';
import { type HttpStats, httpStats } from './http-stats.js';
import type { LivePort } from './live-port.js';
import type { OwnRequests } from './own-requests.js';
import type { PeerPort } from './peer-port.js';
import { Port } from './port.js';
import type { RangeLimits } from './range.js';
import { ReadyAnswers, type ReadyKeeper } from './ready-answers.js';
import { refusalEntry } from './refusal-entry.js';
import { Representations } from './representation.js';
import { type RequestRateSettings, requestRatesOf } from './request-rates.js';
import type { RequestRouting } from './request-routing.js';
import { RouteContexts } from './route-contexts.js';
import { countsAt } from './route-counts.js';
import { UwsFrontEnd } from './uws-front-end.js';

/** What `createHttpServer` is made of. */
export interface HttpServerOptions extends ViewStage {
  /** What may be asked for beside objects as they are. */
  readonly views: Views;
  /** Which web pages may read answers. */
  readonly cors: CorsOptions;
  /** Bounds on one request's ranges. */
  readonly range: RangeLimits;
  /** Most characters of path and query. */
  readonly maxUrlLength: number;
  /** Names of query parameters that no stage behind sees, besides those of views. */
  readonly dropQuery: readonly string[];
  /** Who is let in where; left out where everything is open to all. */
  readonly access?: AccessRules | undefined;
  /** How many requests a second clients may make; any when left out. */
  readonly rates?: RequestRateSettings | undefined;
  /** How fast players are sent what they ask for; as fast as they take it when left out. */
  readonly pacing?: PacingSettings | undefined;
  /** What differs by host and path; nothing when left out. */
  readonly routes?: readonly AnswerRouteSettings[];
  /** Milliseconds after which a player that takes no byte is disconnected. */
  readonly stallTimeout: number;
  /** Name of this edge in CDN-Loop (RFC 8586), by which a loop is seen; left out where nobody looks for it here. */
  readonly name?: string | undefined;
  /** Keeps answers that the gate gives by itself; without it there are none. */
  readonly ready?: ReadyKeeper;
  /** Value of the Server field; left out when undefined. */
  readonly serverName?: string;
  /** The gate in front of the front end; without it heads are looked at as far as the front end shows them. */
  readonly gate?: Gate;
  /** Bounds that the gate keeps; none when left out. */
  readonly bounds?: PortBounds;
  readonly log?: Log;
  /** Takes the seconds from a request to the head of its answer, or the mean of so many. */
  readonly observeTtfb?: (seconds: number, count?: number) => void;
  /** Takes each answer when it has ended. */
  readonly accessLog?: (entry: AccessEntry) => void;
  /** Takes each warning of an answer that has ended badly. */
  readonly badEnd?: (line: ToldLine) => void;
  /** Counts what is asked for. */
  readonly hottest?: HotList;
  /** Follows requests; none when left out. */
  readonly tracing?: Tracing | undefined;
  /** Knows the edge's own requests; none when left out. */
  readonly own?: OwnRequests;
  /** Knows which edge answers a request; left out where this one answers all. */
  readonly routing?: RequestRouting;
  /** Knows peers: the port is for them and nobody else. */
  readonly peers?: PeerPort;
  /** Live streams, whose URLs lie below a path of theirs. */
  readonly live?: LivePort;
  /**
   * Called while the server drains, before its listening socket is closed: the place to turn away connections that
   * would be lost with it.
   */
  readonly beforeClose?: () => void | Promise<void>;
}

/** What an address is listened at with. */
export interface ListenOptions {
  /** The port speaks TLS when given. */
  readonly tls?: TlsFiles | undefined;
  /** Peers whose word is taken for who the client is; nobody's when left out. */
  readonly clients?: ClientAddresses;
  /** Port of HTTPS that everybody is sent to; requests are answered when it is left out. */
  readonly redirect?: number | undefined;
  /** Makes another front end than that on uWebSockets.js, and what guards its connections. */
  readonly engine?: (handler: () => FrontEndHandler) => { readonly frontEnd: FrontEnd; readonly guard: Guard };
}

/** How long `drain` waits. */
export interface DrainOptions {
  /** Milliseconds for answers under way. */
  readonly grace: number;
  /**
   * Milliseconds for connections that are idle when no answer is under way any more; a request on them is answered
   * still. 0 when left out.
   */
  readonly idle?: number;
}

/** The HTTP port of one process. */
export interface HttpServer {
  readonly stats: HttpStats;
  /**
   * Listens, with SO_REUSEPORT, so that several processes share a port. May be called for several addresses.
   * @param port 0 takes a free one, which is not shared
   * @returns the port
   * @throws EdgeError (rejects with) `bad_config`
   */
  listen(host: string, port: number, options?: ListenOptions): Promise<number>;
  /**
   * Stops accepting connections and lets answers under way come to their end; further answers on open connections bear
   * `Connection: close`.
   * @returns whether everything ended in time
   */
  drain(options: DrainOptions): Promise<boolean>;
  /** Closes the listening sockets and cuts every connection. */
  close(): void;
}

/** Makes an HTTP server over `content`. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new Server(options);
}

const NO_BOUNDS: PortBounds = { connections: 2 ** 20, perClient: 0, requests: 0, loopback: false, unsentBytes: 0 };

class Server implements HttpServer {
  readonly #stats = httpStats();
  readonly #bounds: PortBounds;
  readonly #gate: Gate;
  /** Refusals of the gate, which is the whole process's, that stand in the counters or were there before. */
  readonly #counted: Record<number, number>;
  readonly #context: HttpContext;
  readonly #ports: Port[] = [];
  readonly #routes: readonly AnswerRouteSettings[];
  readonly #unwatch: () => void;
  readonly #beforeClose: HttpServerOptions['beforeClose'];

  constructor(options: HttpServerOptions) {
    const cors = new Cors(options.cors);
    const pacer = new Pacer();
    const common: Field[] = [...cors.common];
    if (options.serverName !== undefined) common.push(['Server', options.serverName]);
    const gate = options.gate ?? Gate.none();
    this.#beforeClose = options.beforeClose;
    this.#bounds = options.bounds ?? NO_BOUNDS;
    this.#routes = options.routes ?? [];
    this.#gate = gate;
    this.#context = {
      content: options.content,
      planner: options.planner,
      packager: options.packager,
      views: options.views,
      cors,
      common,
      representations: new Representations(common, options.cors.origins.length > 0),
      range: options.range,
      maxUrlLength: options.maxUrlLength,
      ownNames: { views: options.views.parameters, dropped: new Set(options.dropQuery) },
      access: options.access,
      routes: undefined,
      redirect: undefined,
      errorPages: new Map(),
      rates: requestRatesOf(options.rates),
      pacing: pacingOf(options.pacing, pacer),
      pacer,
      sweep: new StallSweep(options.stallTimeout),
      stats: this.#stats,
      counts: countsAt(this.#stats.routes),
      hottest: options.hottest,
      tracing: options.tracing,
      gate,
      clients: ClientAddresses.ofPeers(),
      underWay:
        this.#bounds.requests > 0 ? new ClientRequests(this.#bounds.requests, this.#bounds.loopback) : undefined,
      own: options.own,
      name: options.name,
      log: options.log ?? silentLog,
      badEnds: new LimitedLog(options.log ?? silentLog, options.badEnd),
      observeTtfb: options.observeTtfb,
      accessLog: options.accessLog,
      ready: options.ready && gate.works ? new ReadyAnswers(gate, options.ready) : undefined,
      routing: options.routing,
      peers: options.peers,
      live: options.live,
      course: { draining: false, quiet: () => {} },
    };
    this.#counted = Object.fromEntries(gate.refusals());
    const { accessLog } = options;
    this.#unwatch =
      accessLog === undefined ? () => {} : gate.watchRefusals(refusal => accessLog(refusalEntry(refusal)));
  }

  async listen(host: string, number: number, options: ListenOptions = {}): Promise<number> {
    const { tls, clients = this.#context.clients, redirect, engine } = options;
    let port: Port | undefined;
    const other = engine?.(() => port!);
    const everywhere = { ...this.#context, clients, gate: other?.guard ?? this.#gate };
    const routes = this.#routes.length === 0 ? undefined : new RouteContexts(everywhere, this.#routes);
    const context = { ...everywhere, routes };
    port = new Port(context, { wantsCertificates: tls?.ca !== undefined, redirect });
    port.frontEnd =
      other?.frontEnd ?? new UwsFrontEnd(port, this.#gate, { ...this.#bounds, trusted: clients.networks }, tls);
    this.#ports.push(port);
    return port.frontEnd.listen(host, number);
  }

  get stats(): HttpStats {
    this.#context.ready?.count();
    this.#stats.pacedResponses = this.#context.pacer.waiting;
    const { none } = this.#stats.requests;
    for (const [status, count] of this.#gate.refusals()) {
      none[status] = (none[status] ?? 0) + count - (this.#counted[status] ?? 0);
      this.#counted[status] = count;
    }
    return this.#stats;
  }

  async drain({ grace, idle = 0 }: DrainOptions): Promise<boolean> {
    this.#context.course.draining = true;
    this.#context.ready?.close();
    await this.#beforeClose?.();
    for (const { frontEnd } of this.#ports) frontEnd.closeListener();
    this.#context.live?.viewing.drain();
    this.#context.live?.hls?.drain();
    if (!(await this.#until(() => this.#stats.openResponses === 0, grace))) return false;
    await this.#until(() => this.#stats.openConnections === 0, Math.min(idle, grace));
    return this.#stats.openResponses === 0;
  }

  close(): void {
    this.#unwatch();
    this.#context.ready?.close();
    for (const { frontEnd } of this.#ports) frontEnd.close();
  }

  /** Waits for a condition that answers and connections bring about by ending. */
  #until(condition: () => boolean, timeout: number): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (met: boolean) => {
        clearTimeout(timer);
        this.#context.course.quiet = () => {};
        resolve(met);
      };
      const timer = setTimeout(() => settle(condition()), timeout);
      this.#context.course.quiet = () => {
        if (condition()) settle(true);
      };
      this.#context.course.quiet();
    });
  }
}
