import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { LimitedLog } from '../../observe/limited-log.js';
import type { EndReason } from '../rtmp/rtmp-error.js';
import { type ConnectionOptions, type ConnectionStats, RtmpConnection } from './rtmp-connection.js';

const LOOK_INTERVAL = 1000;
/** Connections beside those that publish: more come at the price of the oldest that does not publish yet. */
const NEWCOMERS_MAX = 256;

/** What an RTMP server is made from. */
export interface RtmpServerOptions extends ConnectionOptions {
  readonly host: string;
  readonly port: number;
}

/** Totals of a server. */
export interface RtmpServerStats {
  /** Publishers that have been let in, and those that have gone, by why. */
  readonly outcomes: Readonly<Partial<Record<'accepted' | EndReason, number>>>;
  readonly connections: number;
  readonly receivedBytes: number;
}

/** The port that publishers connect to. */
export class RtmpServer {
  readonly #options: RtmpServerOptions;
  readonly #server: Server | TlsServer;
  readonly #connections = new Set<RtmpConnection>();
  readonly #look: NodeJS.Timeout;
  /** Strangers may come as often as they like. */
  readonly #log: LimitedLog;
  readonly #outcomes: Partial<Record<'accepted' | EndReason, number>> = {};
  #received = 0;
  #lastConnection = 0;

  constructor(options: RtmpServerOptions) {
    this.#options = options;
    this.#log = new LimitedLog(options.log);
    const take = (socket: Socket) => this.#take(socket);
    const settings = { noDelay: true, keepAlive: true, keepAliveInitialDelay: options.silence };
    const { tls } = options;
    this.#server =
      tls === undefined
        ? createServer(settings, take)
        : createTlsServer({ ...settings, ...tls, handshakeTimeout: options.arrival }, take).on('tlsClientError', () =>
            this.#count('protocol'),
          );
    this.#look = setInterval(() => this.#lookAround(), LOOK_INTERVAL);
  }

  get stats(): RtmpServerStats {
    return { outcomes: this.#outcomes, connections: this.#connections.size, receivedBytes: this.#received };
  }

  get publishers(): readonly ConnectionStats[] {
    return [...this.#connections].flatMap(({ stats }) => stats ?? []);
  }

  /** @throws Error of the system when it can't listen */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        // Running out of descriptors, for one: nothing is lost but that connection.
        this.#server.on('error', error => this.#options.log.warn({ error }, 'the RTMP port has failed'));
        resolve();
      });
    });
  }

  /** New connections see another certificate. */
  renewTls(tls: { readonly cert: string; readonly key: string }): void {
    (this.#server as TlsServer).setSecureContext(tls);
  }

  /** Asks publishers that know how to come back by another connection. */
  requestReconnects(): void {
    for (const connection of this.#connections) connection.requestReconnect();
  }

  /** Ends all connections. Resolves when they are closed. */
  async stop(): Promise<void> {
    clearInterval(this.#look);
    this.#server.close();
    const closed = [...this.#connections].map(connection => connection.closed);
    for (const connection of this.#connections) connection.end('server', 'this server stops');
    await Promise.all(closed);
  }

  #take(socket: Socket): void {
    const newcomers = [...this.#connections].filter(({ isNew }) => isNew);
    if (newcomers.length >= NEWCOMERS_MAX) newcomers[0]!.end('limit', 'others want to connect, too');
    const connection = new RtmpConnection(socket, ++this.#lastConnection, this.#options, {
      received: bytes => {
        this.#received += bytes;
      },
      accepted: () => this.#count('accepted'),
      ended: reason => this.#count(reason),
      turnedAway: fields => this.#log.warn('turned away', fields, 'somebody who wanted to publish was turned away'),
    });
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
  }

  #lookAround(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.look(now);
  }

  #count(outcome: 'accepted' | EndReason): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
  }
}
