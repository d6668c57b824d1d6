import { createServer } from 'node:net';
import { EdgeError } from '../base/errors.js';
import { type Log, silentLog } from '../base/log.js';
import { REFUSED_FIELD } from '../base/peer-fields.js';
import { StallSweep } from '../delivery/sweep.js';
import type { AccessEntry } from '../observe/access-log.js';
import { LimitedLog } from '../observe/limited-log.js';
import type { ViewStage } from '../view/view.js';
import type { Views } from '../view/views.js';
import { Cors, type CorsOptions } from './cors.js';
import { Exchange } from './exchange.js';
import { type Field, FieldBlock } from './field-block.js';
import { isAmbiguous } from './framing.js';
import { Gate, type GateRefusal, type PortBounds } from './gate.js';
import type { HttpContext } from './http-context.js';
import { type HttpStats, httpStats } from './http-stats.js';
import { LiveExchange, parseLiveTarget } from './live-exchange.js';
import type { LivePort } from './live-port.js';
import type { PeerPort } from './peer-port.js';
import type { RangeLimits } from './range.js';
import { Reply } from './reply.js';
import { Representations } from './representation.js';
import type { RequestRouting } from './request-routing.js';
import {
  App,
  closeListenSocket,
  type HttpRequest,
  type HttpResponse,
  localPort,
  SSLApp,
  type us_listen_socket,
} from './uws.js';

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
  /** Milliseconds after which a player that takes no byte is disconnected. */
  readonly stallTimeout: number;
  /** Value of the Server field; left out when undefined. */
  readonly serverName?: string;
  /** Names of PEM files; the port speaks TLS when given. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    /** Authorities of certificates that clients must have, on a port for peers. */
    readonly ca?: string | undefined;
  };
  /** The gate in front of the front end; without it heads are looked at as far as the front end shows them. */
  readonly gate?: Gate;
  /** Bounds that the gate keeps; none when left out. */
  readonly bounds?: PortBounds;
  readonly log?: Log;
  /** Takes the seconds from a request to the head of its answer. */
  readonly observeTtfb?: (seconds: number) => void;
  /** Takes each answer when it has ended. */
  readonly accessLog?: (entry: AccessEntry) => void;
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
   * Listens, with SO_REUSEPORT, so that several processes share a port.
   * @param port 0 takes a free one, which is not shared
   * @returns the port
   * @throws EdgeError (rejects with) `bad_config`
   */
  listen(host: string, port: number): Promise<number>;
  /**
   * Stops accepting connections and lets answers under way come to their end; further answers on open connections bear
   * `Connection: close`.
   * @returns whether everything ended in time
   */
  drain(options: DrainOptions): Promise<boolean>;
  /** Closes the listening socket and cuts every connection. */
  close(): void;
}

/** Makes an HTTP server over `content`; TLS when told. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new Server(options);
}

const ALLOW: Field = ['Allow', 'GET, HEAD, OPTIONS'];
const NO_FIELDS = new FieldBlock([]);
const NO_BOUNDS: PortBounds = { connections: 2 ** 20, perClient: 0, requests: 0, loopback: false, unsentBytes: 0 };

class Server implements HttpServer {
  readonly #stats = httpStats();
  readonly #bounds: PortBounds;
  readonly #isPlain: boolean;
  readonly #wantsCertificates: boolean;
  /** Refusals of the gate, which is the whole process's, that stand in the counters or were there before. */
  readonly #counted: Record<number, number>;
  readonly #context: HttpContext;
  readonly #app;
  readonly #unwatch: () => void;
  readonly #beforeClose: HttpServerOptions['beforeClose'];
  #listener: us_listen_socket | undefined;

  constructor(options: HttpServerOptions) {
    const cors = new Cors(options.cors);
    const common: Field[] = [...cors.common];
    if (options.serverName !== undefined) common.push(['Server', options.serverName]);
    this.#beforeClose = options.beforeClose;
    this.#bounds = options.bounds ?? NO_BOUNDS;
    this.#isPlain = options.tls === undefined;
    this.#wantsCertificates = options.tls?.ca !== undefined;
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
      sweep: new StallSweep(options.stallTimeout),
      stats: this.#stats,
      gate: options.gate ?? Gate.none(),
      log: options.log ?? silentLog,
      badEnds: new LimitedLog(options.log ?? silentLog),
      observeTtfb: options.observeTtfb,
      accessLog: options.accessLog,
      routing: options.routing,
      peers: options.peers,
      live: options.live,
      draining: false,
      quiet: () => {},
    };
    this.#app = options.tls === undefined ? App() : secureApp(options.tls);
    this.#counted = Object.fromEntries(this.#context.gate.refusals());
    const count = (_res: HttpResponse, change: number) => {
      this.#stats.openConnections += change;
      this.#context.quiet();
    };
    const { gate, accessLog } = this.#context;
    this.#unwatch = accessLog === undefined ? () => {} : gate.watchRefusals(refusal => accessLog(entryOf(refusal)));
    this.#app.filter(count);
    this.#app.any('/*', (res, req) => this.#handle(res, req));
  }

  async listen(host: string, port: number): Promise<number> {
    const listener = await new Promise<us_listen_socket | false>(resolve => {
      this.#app.listen(host, port, resolve);
    });
    if (!listener)
      throw new EdgeError('bad_config', `can't listen on ${host} port ${port}: ${await whyNot(host, port)}`);
    this.#listener = listener;
    const bound = localPort(listener as never);
    this.#context.gate.guard(bound, this.#bounds, this.#isPlain);
    return bound;
  }

  get stats(): HttpStats {
    const { none } = this.#stats.requests;
    for (const [status, count] of this.#context.gate.refusals()) {
      none[status] = (none[status] ?? 0) + count - (this.#counted[status] ?? 0);
      this.#counted[status] = count;
    }
    return this.#stats;
  }

  async drain({ grace, idle = 0 }: DrainOptions): Promise<boolean> {
    this.#context.draining = true;
    await this.#beforeClose?.();
    this.#closeListener();
    this.#context.live?.viewing.drain();
    if (!(await this.#until(() => this.#stats.openResponses === 0, grace))) return false;
    await this.#until(() => this.#stats.openConnections === 0, Math.min(idle, grace));
    return this.#stats.openResponses === 0;
  }

  close(): void {
    this.#listener = undefined;
    this.#unwatch();
    this.#app.close();
  }

  #handle(res: HttpResponse, req: HttpRequest): void {
    const method = req.getCaseSensitiveMethod();
    const { gate } = this.#context;
    if ((gate.socket === 0 || gate.isSecure) && this.#refusesUnseen(res, req, method)) return;
    if (this.#context.peers !== undefined) this.#handlePeer(this.#context.peers, res, req, method);
    else if (method === 'GET' || method === 'HEAD') this.#answer(res, req, method);
    else if (method === 'OPTIONS') this.#options(res, req);
    else {
      const message = `the method is not known here; use ${ALLOW[1]}`;
      new Reply(this.#context, res, req, method).text(405, message, 'moovedge; detail=method', [ALLOW]);
    }
  }

  /** Refuses a request that the gate has not seen, and that can't be answered safely, or not in time for others. */
  #refusesUnseen(res: HttpResponse, req: HttpRequest, method: string): boolean {
    const { gate } = this.#context;
    if (gate.isSecure && gate.ends(gate.socket)) {
      // What comes behind the last request; the connection is closed in a later turn.
      res.onAborted(() => {});
      return true;
    }
    const refused = isAmbiguous(req) ? 400 : gate.isSecure && gate.floodsSecurely() ? 429 : undefined;
    if (refused === undefined) return false;
    new Reply(this.#context, res, req, method).abandon(refused);
    return true;
  }

  #answer(res: HttpResponse, req: HttpRequest, method: 'GET' | 'HEAD'): void {
    const { live } = this.#context;
    const target = live && parseLiveTarget(live.path, req.getUrl(), req.getQuery() ?? '');
    if (target?.file === 'flv') new LiveExchange(this.#context, res, req, method).run(live!, target);
    else new Exchange(this.#context, res, req, method).run(req);
  }

  #handlePeer(peers: PeerPort, res: HttpResponse, req: HttpRequest, method: string): void {
    const query = req.getQuery();
    const target = query ? `${req.getUrl()}?${query}` : req.getUrl();
    const isCertified = !this.#wantsCertificates || hasCertificate(res);
    const admitted = peers.admit(method, target, name => req.getHeader(name), isCertified);
    if ('refused' in admitted) {
      const message = `this port is for edges of one cluster (${admitted.refused})`;
      new Reply(this.#context, res, req, method).text(403, message, 'moovedge; detail=peer', [
        [REFUSED_FIELD, admitted.refused],
      ]);
    } else if (admitted.mark === 'probe') {
      const reply = new Reply(this.#context, res, req, method, undefined, admitted);
      reply.head(204, undefined, NO_FIELDS, 'moovedge; detail=peer', '');
      reply.endEmpty();
    } else new Exchange(this.#context, res, req, method === 'HEAD' ? 'HEAD' : 'GET', admitted).run(req);
  }

  /** OPTIONS, a preflight of the Fetch standard among them. */
  #options(res: HttpResponse, req: HttpRequest): void {
    const { cors, common } = this.#context;
    const isPreflight = req.getHeader('access-control-request-method') !== '';
    const fields = isPreflight ? cors.preflight(req.getHeader('origin')) : [];
    const reply = new Reply(this.#context, res, req, 'OPTIONS');
    reply.head(204, undefined, new FieldBlock([ALLOW, ...common, ...fields]), 'moovedge; detail=options', '');
    reply.endEmpty();
  }

  #closeListener(): void {
    if (this.#listener !== undefined) closeListenSocket(this.#listener);
    this.#listener = undefined;
  }

  /** Waits for a condition that answers and connections bring about by ending. */
  #until(condition: () => boolean, timeout: number): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (met: boolean) => {
        clearTimeout(timer);
        this.#context.quiet = () => {};
        resolve(met);
      };
      const timer = setTimeout(() => settle(condition()), timeout);
      this.#context.quiet = () => {
        if (condition()) settle(true);
      };
      this.#context.quiet();
    });
  }
}

/** What the access log tells of a request that was refused before it was read. */
function entryOf({ status, time, client }: GateRefusal): AccessEntry {
  return {
    time,
    client,
    status,
    method: '',
    host: '',
    url: '',
    bytes: 0,
    seconds: 0,
    ttfb: undefined,
    end: 'cut',
    outcome: undefined,
    range: undefined,
    referer: undefined,
    agent: undefined,
  };
}

function secureApp({ cert, key, ca }: NonNullable<HttpServerOptions['tls']>) {
  try {
    return SSLApp({ cert_file_name: cert, key_file_name: key, ...(ca !== undefined && { ca_file_name: ca }) });
  } catch (cause) {
    throw new EdgeError(
      'bad_config',
      `can't use the TLS certificate ${cert} with the key ${key}: both must be PEM files`,
      { cause },
    );
  }
}

/**
 * Whether a client has shown a certificate. One of another authority does not get so far: the front end has ended the
 * handshake.
 */
function hasCertificate(res: HttpResponse): boolean {
  return (res as unknown as { getX509Certificate(): ArrayBuffer | string }).getX509Certificate().toString() !== '';
}

/** The system's reason for refusing an address, which the front end does not tell. */
function whyNot(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(REASONS[error.code ?? ''] ?? error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve('the address is in use')));
  });
}

const REASONS: Record<string, string> = {
  EADDRINUSE: 'another program listens there; stop it or choose another port',
  EACCES: 'no permission; ports below 1024 need CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  ENOTFOUND: 'the host name is not known',
};
