import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { bytesWithin } from '../base/bytes-within.js';
import { asEdgeError, EdgeError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { native } from '../base/native.js';
import { listenFailure } from '../supervisor/port.js';
import { Access } from './access.js';
import { ConnectionRoom } from './connection-room.js';

/** Most bytes of a request's body. */
const BODY_MAX = 4 * 1024 * 1024;
const REQUEST_TIMEOUT = 30_000;
/** Most connections; a process that may open few files has fewer. */
const CONNECTIONS_MAX = 256;
/** Milliseconds that answers under way may take when the port is closed. */
const CLOSE_GRACE = 500;
/** Milliseconds between looks for connections whose answers have ended, when the port is closed. */
const IDLE_INTERVAL = 50;

/** A request and the means to answer it. */
export interface AdminCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /**
   * The request's body as JSON.
   * @throws EdgeError `bad_request`
   */
  json(): Promise<unknown>;
}

/** What answers a method and path. */
export interface AdminRoute {
  /** Answered without the token: health, and pages, which hold nothing themselves. */
  readonly open?: boolean;
  answer(call: AdminCall): void | Promise<void>;
}

/** Routes by method and path, such as `GET /healthz`. A route for GET answers HEAD too. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

/** What an admin port is made from. */
export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  readonly routes: AdminRoutes;
  readonly log: Log;
}

/** The admin port. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #access: Access;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#access = new Access(options.host, options.token);
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT },
      (request, response) => {
        void this.#take(request, response);
      },
    );
    new ConnectionRoom(this.#server, Math.min(CONNECTIONS_MAX, Math.floor(native.descriptorLimit() / 4)));
  }

  /**
   * Starts to listen.
   * @returns the port, which the system chose when `port` was 0
   * @throws EdgeError `port` in words for people
   */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', error => reject(new EdgeError('port', `admin: ${listenFailure(host, port, error)}`)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.on('error', error => this.#options.log.error({ error }, 'the admin port failed'));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** What requests must bear from here on. */
  set token(token: string | undefined) {
    this.#access.token = token;
  }

  /**
   * Stops listening, at once. Answers under way are finished, those cut that take longer than so many milliseconds.
   * @returns when no connection is left
   */
  close(grace = CLOSE_GRACE): Promise<void> {
    return new Promise(resolve => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), grace);
      // Connections are kept alive past their answers.
      const idle = setInterval(() => this.#server.closeIdleConnections(), IDLE_INTERVAL);
      this.#server.close(() => {
        clearTimeout(cut);
        clearInterval(idle);
        resolve();
      });
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    try {
      await this.#dispatch(request, response);
    } catch (thrown) {
      const error = asEdgeError(thrown);
      if (error.code === 'internal')
        this.#options.log.error({ error: error.cause ?? error, url: request.url }, 'an admin request failed');
      if (response.headersSent) response.destroy();
      else sendText(response, error.status, `${error.message}\n`);
    }
  }

  async #dispatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.canParse(request.url ?? '', 'http://admin.invalid')
      ? new URL(request.url ?? '', 'http://admin.invalid')
      : undefined;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = this.#options.routes[`${method} ${url?.pathname}`];
    const refusal =
      this.#access.refuseForeignPage(request) ??
      (route?.open === true ? undefined : this.#access.refuseStranger(request));
    if (refusal !== undefined) {
      if (refusal.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="moovedge"');
      sendText(response, refusal.status, `${refusal.reason}\n`);
    } else if (url === undefined || route === undefined) {
      this.#sendNoRoute(url?.pathname, response);
    } else {
      await route.answer({ request, response, query: url.searchParams, json: () => readJson(request) });
    }
  }

  #sendNoRoute(path: string | undefined, response: ServerResponse): void {
    const methods = Object.keys(this.#options.routes).flatMap(key =>
      key.split(' ')[1] === path ? [key.split(' ')[0]!] : [],
    );
    if (methods.length === 0) {
      sendText(response, 404, 'not found\n');
      return;
    }
    const allowed = methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    response.setHeader('Allow', allowed);
    sendText(response, 405, `expected ${allowed}\n`);
  }
}

/** Ends a response with a short text; one to HTTP/0.9, as HAProxy's agent-check can speak it, is nothing else. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  if (response.req.httpVersionMajor === 0) {
    response.socket?.end(text);
    return;
  }
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** Ends a response with a value as JSON. */
export function sendJson(response: ServerResponse, value: unknown): void {
  sendText(response, 200, `${JSON.stringify(value)}\n`, 'application/json');
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await bytesWithin(request, BODY_MAX);
  if (body === undefined) throw new EdgeError('bad_request', `expected a body of at most ${BODY_MAX} bytes`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new EdgeError('bad_request', 'expected a JSON body');
  }
}
