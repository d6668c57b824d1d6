import { createServer } from 'node:net';
import { EdgeError } from '../base/errors.js';
import type {
  FrontEnd,
  FrontEndHandler,
  FrontRequest,
  FrontResponse,
  FrontSocketHandler,
  TlsFiles,
  Upgrade,
} from './front-end.js';
import type { Gate, PortBounds } from './gate.js';
import {
  App,
  closeListenSocket,
  type HttpResponse,
  localPort,
  SSLApp,
  type us_listen_socket,
  type us_socket_context_t,
} from './uws.js';
import { UwsSocket } from './uws-socket.js';

/** Most bytes of a message of a client, who has nothing to say. */
const MESSAGE_MAX = 1024;
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
  readonly #app;
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
    if (handler.upgrades) {
      this.#app.ws<Spoken>('/*', {
        maxPayloadLength: MESSAGE_MAX,
        maxBackpressure: BACKPRESSURE_MAX,
        // Pings of the front end's own would come within messages that go past it.
        idleTimeout: 0,
        sendPingsAutomatically: false,
        upgrade: (res, req, context) => handler.request(res, req, this.#upgradeOf(res, req, context)),
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
    this.#app.any('/*', (res, req) => handler.request(res, req));
  }

  #upgradeOf(res: HttpResponse, req: FrontRequest, context: us_socket_context_t): Upgrade {
    // The request dies with its handler, and may be answered later.
    const descriptor = this.#gate.socket;
    const key = req.getHeader('sec-websocket-key');
    // The first of those that the client offers: whatever it is called, there is one thing to be had.
    const protocol = req.getHeader('sec-websocket-protocol').split(',')[0]!.trim();
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
      throw new EdgeError('bad_config', `can't listen on ${host} port ${port}: ${await whyNot(host, port)}`);
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

function secureApp({ cert, key, ca }: TlsFiles) {
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
