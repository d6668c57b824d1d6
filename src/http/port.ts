import { EdgeError } from '../base/errors.js';
import { isFieldValue } from '../base/field-line.js';
import { REFUSED_FIELD } from '../base/peer-fields.js';
import type { RedirectSettings } from './answer-route.js';
import { Exchange } from './exchange.js';
import { type Field, FieldBlock } from './field-block.js';
import { isAmbiguous } from './framing.js';
import type { FrontEnd, FrontEndHandler, FrontRequest, FrontResponse, Upgrade } from './front-end.js';
import type { HttpContext } from './http-context.js';
import { answerLink, LiveExchange, parseLiveTarget } from './live-exchange.js';
import { asksForWebSocket, LiveWebSocket } from './live-websocket.js';
import type { PeerPort } from './peer-port.js';
import { refusalEntry } from './refusal-entry.js';
import { Reply } from './reply.js';
import { NO_NAMES, parseHost, parseTarget } from './target.js';

const ALLOW: Field = ['Allow', 'GET, HEAD, OPTIONS'];
const TOO_MANY = 'moovedge; detail=requests';
const NO_FIELDS = new FieldBlock([]);
/** The port that URLs of https don't name. */
const HTTPS_PORT = 443;

/** What a port does with requests. */
export interface PortOptions {
  /** Clients must have certificates. */
  readonly wantsCertificates: boolean;
  /** Port of HTTPS that everybody is sent to; undefined where requests are answered. */
  readonly redirect: number | undefined;
}

/** What is asked for at one address, whatever engine listens there: each request goes to whom its answer is made by. */
export class Port implements FrontEndHandler {
  readonly #context: HttpContext;
  readonly #options: PortOptions;
  /** Set before it listens. */
  frontEnd!: FrontEnd;

  constructor(context: HttpContext, options: PortOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** By messages live streams can be watched, and nothing else be had. */
  get upgrades(): boolean {
    return this.#context.live !== undefined && this.#context.peers === undefined;
  }

  connections(change: number): void {
    this.#context.stats.openConnections += change;
    this.#context.course.quiet();
  }

  waiting(change: number): void {
    this.#context.stats.openResponses += change;
    this.#context.course.quiet();
  }

  refused(status: number, client: string): void {
    const { none } = this.#context.stats.requests;
    none[status] = (none[status] ?? 0) + 1;
    this.#context.accessLog?.(refusalEntry({ status, time: Date.now(), client }));
  }

  request(res: FrontResponse, asked: FrontRequest, upgrade?: Upgrade): void {
    const { gate, peers, routes, underWay, clients, own } = this.#context;
    const known = peers === undefined ? own?.of(asked) : undefined;
    const isOwn = known !== undefined;
    const req = known ?? asked;
    const method = req.getCaseSensitiveMethod();
    // Where nobody has looked at the request, and it can't be answered safely.
    if (gate.socket === 0 && isAmbiguous(req)) {
      new Reply(this.#context, res, req, method).abandon(400);
      return;
    }
    if (underWay !== undefined && peers === undefined && !isOwn && !underWay.hasRoomFor(clients.of(res, req))) {
      const fields: Field[] = [['Retry-After', '1']];
      new Reply(this.#context, res, req, method).text(429, 'too many requests at a time', TOO_MANY, fields);
    } else if (peers !== undefined) this.#handlePeer(peers, res, req, method);
    else if (this.#options.wantsCertificates && !isOwn && !this.frontEnd.hasCertificate(res)) {
      const message = 'this port is for clients that have a certificate';
      new Reply(this.#context, res, req, method).text(403, message, 'moovedge; detail=certificate', []);
    } else if (method === 'GET' || method === 'HEAD') {
      this.#answer(routes?.of(req) ?? this.#context, res, req, method, isOwn, upgrade);
    } else if (method === 'OPTIONS') tellOptions(routes?.of(req) ?? this.#context, res, req);
    else {
      const message = `the method is not known here; use ${ALLOW[1]}`;
      new Reply(this.#context, res, req, method).text(405, message, 'moovedge; detail=method', [ALLOW]);
    }
  }

  #answer(
    context: HttpContext,
    res: FrontResponse,
    req: FrontRequest,
    method: 'GET' | 'HEAD',
    isOwn: boolean,
    upgrade?: Upgrade,
  ): void {
    const { live, course, gate, rates } = context;
    const pause = isOwn ? undefined : rates?.tooSoon(context.clients.of(res, req));
    if (pause !== undefined) {
      const error = new EdgeError('too_many_requests', 'too many requests: come back later', { retryAfter: pause });
      new Reply(context, res, req, method).fail(error);
      return;
    }
    const { redirect } = this.#options;
    if (redirect !== undefined && !isOwn) {
      this.#redirect(redirect, res, req, method);
      return;
    }
    if (context.redirect !== undefined) {
      redirectAs(context, context.redirect, res, req, method);
      return;
    }
    const target = live && parseLiveTarget(live.path, req.getUrl(), req.getQuery() ?? '');
    if (target === undefined) new Exchange(context, res, req, method, undefined, isOwn).run(req);
    else if (method === 'GET' && asksForWebSocket(req)) {
      if (upgrade === undefined || gate.isLast) {
        const message = 'expected WebSocket by HTTP/1.1, with a key of 16 bytes (RFC 6455 section 4.2.1)';
        new Reply(context, res, req, method).text(400, message, 'moovedge; detail=websocket', []);
      } else if (course.draining) {
        const fields: Field[] = [['Retry-After', '1']];
        new Reply(context, res, req, method).text(
          503,
          'this edge is stopping: come back',
          'moovedge; detail=drain',
          fields,
        );
      } else new LiveWebSocket(context, live!, target, res, req).run(req, upgrade);
    } else new LiveExchange(context, res, req, method).run(live!, target, req);
  }

  #handlePeer(peers: PeerPort, res: FrontResponse, req: FrontRequest, method: string): void {
    const query = req.getQuery();
    const target = query ? `${req.getUrl()}?${query}` : req.getUrl();
    const isCertified = !this.#options.wantsCertificates || this.frontEnd.hasCertificate(res);
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
    } else if (admitted.mark === 'live') answerLink(this.#context, res, req, admitted);
    else {
      // What a node answers for another is what players get; a fill is the origin's.
      const routes = admitted.mark === 'fill' ? undefined : this.#context.routes;
      const context = routes?.of(req, admitted.host) ?? this.#context;
      new Exchange(context, res, req, method === 'HEAD' ? 'HEAD' : 'GET', admitted).run(req);
    }
  }

  /** Sends a player to the same URL by HTTPS. */
  #redirect(port: number, res: FrontResponse, req: FrontRequest, method: string): void {
    const reply = new Reply(this.#context, res, req, method);
    try {
      const host = parseHost(req.getHeader('host'));
      const { path, query } = parseTarget(req.getUrl(), req.getQuery() ?? '', this.#context.maxUrlLength, NO_NAMES);
      const authority = port === HTTPS_PORT ? host : `${host}:${port}`;
      const location = `https://${authority}${path}${query === '' ? '' : `?${query}`}`;
      if (host === '' || !isFieldValue(location))
        throw new EdgeError('bad_request', 'the request names no host that it could be sent to by HTTPS');
      reply.text(301, `this is at ${location}`, 'moovedge; detail=https', [['Location', location]]);
    } catch (error) {
      reply.fail(error);
    }
  }
}

/** OPTIONS, a preflight of the Fetch standard among them. */
function tellOptions(context: HttpContext, res: FrontResponse, req: FrontRequest): void {
  const { cors, common } = context;
  const isPreflight = req.getHeader('access-control-request-method') !== '';
  const fields = isPreflight ? cors.preflight(req.getHeader('origin')) : [];
  const reply = new Reply(context, res, req, 'OPTIONS');
  reply.head(204, undefined, new FieldBlock([ALLOW, ...common, ...fields]), 'moovedge; detail=options', '');
  reply.endEmpty();
}

/** Sends a player to where a route says. */
function redirectAs(
  context: HttpContext,
  { to, status }: RedirectSettings,
  res: FrontResponse,
  req: FrontRequest,
  method: string,
): void {
  const reply = new Reply(context, res, req, method);
  try {
    const host = parseHost(req.getHeader('host'));
    const { path, query } = parseTarget(req.getUrl(), req.getQuery() ?? '', context.maxUrlLength, NO_NAMES);
    const values: Record<string, string> = { host, path, query: query === '' ? '' : `?${query}` };
    const location = to.replace(/\{(host|path|query)\}/g, (_, name: string) => values[name]!);
    // A path of several slashes would be another host's.
    if (!isFieldValue(location) || (to.startsWith('/') && location.startsWith('//')))
      throw new EdgeError('bad_request', 'the request can’t be sent on');
    reply.text(status, `this is at ${location}`, 'moovedge; detail=redirect', [['Location', location]]);
  } catch (error) {
    reply.fail(error);
  }
}
