import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { EdgeError } from '../base/errors.js';
import {
  type CertificateFiles,
  type FrontEnd,
  type FrontEndHandler,
  type FrontRequest,
  type FrontResponse,
  type FrontSocketHandler,
  MESSAGE_MAX,
  offeredProtocol,
  type TlsFiles,
  type Upgrade,
} from './front-end.js';
import type { Gate, PortBounds } from './gate.js';
import { whyNotListening } from './listen-refusal.js';
import {
  App,
  closeListenSocket,
  type HttpResponse,
  localPort,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  type us_socket_context_t,
} from './uws.js';
import { UwsSocket } from './uws-socket.js';

/** Bytes that the front end may hold of a connection's messages; it is given none while it holds any. */
const BACKPRESSURE_MAX = 64 * 1024;

/** What the front end keeps with a connection that goes on by messages: it copies the fields, and nothing else. */
interface Spoken {
  readonly handler: FrontSocketHandler;
  /** 0 when the gate does not guard it. */
  readonly descriptor: number;
}

/** The front end on uWebSockets.js: HTTP/1.1, behind the gate. */
export class UwsFrontEnd implements FrontEnd {
  readonly #app: TemplatedApp;
  readonly #gate: Gate;
  readonly #bounds: PortBounds;
  readonly #isPlain: boolean;
  #listener: us_listen_socket | undefined;

  /** @throws EdgeError `bad_config` */
  constructor(handler: FrontEndHandler, gate: Gate, bounds: PortBounds, tls: TlsFiles | undefined) {
    this.#gate = gate;
    this.#bounds = bounds;
    this.#isPlain = tls === undefined;
    this.#app = tls === undefined ? App() : secureApp(tls);
    this.#app.filter((_res, change) => handler.connections(change));
    this.#route(handler);
    // Each name has a router of its own.
    for (const pair of tls?.others ?? []) {
      const options = { cert_file_name: pair.cert, key_file_name: pair.key, ...authorityOf(tls!) };
      for (const name of namesOf(pair)) this.#route(handler, this.#app.addServerName(name, options).domain(name));
    }
  }

  #route(handler: FrontEndHandler, app: TemplatedApp = this.#app): void {
    const gate = this.#gate;
    if (handler.upgrades) {
      app.ws<Spoken>('/*', {
        maxPayloadLength: MESSAGE_MAX,
        maxBackpressure: BACKPRESSURE_MAX,
        // Pings of the front end's own would come within messages that go past it.
        idleTimeout: 0,
        sendPingsAutomatically: false,
        upgrade: (res, req, context) => handler.request(res, gate.noted(req), this.#upgradeOf(res, req, context)),
        open: socket => {
          const { handler, descriptor } = socket.getUserData();
          handler.open(new UwsSocket(socket, gate, descriptor));
        },
        close: socket => {
          const { handler, descriptor } = socket.getUserData();
          handler.closed();
          gate.finish(descriptor);
        },
      });
    }
    app.any('/*', (res, req) => handler.request(res, gate.noted(req)));
  }

  #upgradeOf(res: HttpResponse, req: FrontRequest, context: us_socket_context_t): Upgrade {
    // The request dies with its handler, and may be answered later.
    const descriptor = this.#gate.socket;
    const key = req.getHeader('sec-websocket-key');
    const protocol = offeredProtocol(req);
    return handler => {
      this.#gate.upgraded(descriptor);
      res.upgrade<Spoken>({ handler, descriptor }, key, protocol, '', context);
    };
  }

  async listen(host: string, port: number): Promise<number> {
    const listener = await new Promise<us_listen_socket | false>(resolve => {
      this.#app.listen(host, port, resolve);
    });
    if (!listener)
      throw new EdgeError('bad_config', `can't listen on ${host} port ${port}: ${await whyNotListening(host, port)}`);
    this.#listener = listener;
    const bound = localPort(listener as never);
    this.#gate.guard(bound, this.#bounds, this.#isPlain);
    return bound;
  }

  /** One of another authority does not get so far: the front end has ended the handshake. */
  hasCertificate(res: FrontResponse): boolean {
    return (res as HttpResponse as unknown as Certified).getX509Certificate().toString() !== '';
  }

  closeListener(): void {
    if (this.#listener !== undefined) closeListenSocket(this.#listener);
    this.#listener = undefined;
  }

  close(): void {
    this.#listener = undefined;
    this.#app.close();
  }
}

interface Certified {
  getX509Certificate(): ArrayBuffer | string;
}

function authorityOf({ ca }: TlsFiles) {
  return ca === undefined ? {} : { ca_file_name: ca };
}

/** Names of hosts that a certificate is for, in the order of its field. */
function namesOf(pair: CertificateFiles): string[] {
  const { subjectAltName = '' } = read(pair);
  return subjectAltName.split(', ').flatMap(entry => /^DNS:(.+)$/.exec(entry)?.[1] ?? []);
}

function read(pair: CertificateFiles): X509Certificate {
  try {
    return new X509Certificate(readFileSync(pair.cert));
  } catch (cause) {
    throw unusable(pair, cause);
  }
}

function secureApp(tls: TlsFiles) {
  const { cert, key } = tls;
  try {
    return SSLApp({ cert_file_name: cert, key_file_name: key, ...authorityOf(tls) });
  } catch (cause) {
    throw unusable(tls, cause);
  }
}

function unusable({ cert, key }: CertificateFiles, cause: unknown): EdgeError {
  const message = `can't use the TLS certificate ${cert} with the key ${key}: both must be PEM files`;
  return new EdgeError('bad_config', message, { cause });
}
