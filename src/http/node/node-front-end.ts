import { lookup } from 'node:dns/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { EdgeError } from '../../base/errors.js';
import { isLoopback } from '../../base/loopback.js';
import type { ClientAddresses } from '../client-address.js';
import { plainAddress } from '../forwarded.js';
import type { FrontEnd, FrontEndHandler, TlsFiles } from '../front-end.js';
import type { PortBounds } from '../gate.js';
import { whyNotListening } from '../listen-refusal.js';
import { Account } from './account.js';
import type { ClientConnection } from './client-connection.js';
import { Http1Connections } from './http1-connections.js';
import { Http2Connections } from './http2-connections.js';
import { NodeGuard } from './node-guard.js';
import type { NodeLimits } from './node-limits.js';
import { Places } from './places.js';
import { readProxyHeader } from './proxied.js';
import { refuse } from './refusal.js';
import { secureServer } from './secure-server.js';

/** What the native addon does for listeners of Node. */
export interface ListenAddon {
  /** Opens a socket that listens with SO_REUSEPORT at an IP address; returns its descriptor. @throws Error */
  openListener(address: string, port: number): number;
  /** Bounds what the kernel takes of a socket beyond what it has sent. */
  limitUnsent(descriptor: number, bytes: number): void;
}

/** What a front end of Node is made with. */
export interface NodeFrontEndOptions {
  readonly addon: ListenAddon;
  readonly bounds: PortBounds;
  readonly limits: NodeLimits;
  readonly tls?: TlsFiles | undefined;
  /** Clients that ask for HTTP/2 by ALPN get it; needs TLS. */
  readonly http2?: boolean;
  /** Connections of proxies that are trusted begin with a header of the PROXY protocol. */
  readonly proxyProtocol?: boolean;
  /** Who is trusted. */
  readonly clients: ClientAddresses;
  /** A socket that listens already, in the place of host and port. */
  readonly descriptor?: number | undefined;
}

/** Connections without a place that are told so at a time, and their most share of the places. */
const TURNED_AWAY_MAX = 64;
const TURNED_AWAY_SHARE = 1 / 4;

/**
 * The front end on node:http and node:http2, for what uWebSockets.js has no ear for: HTTP/2 and Unix sockets, and
 * whatever Node's parser takes that the gate does not.
 */
export class NodeFrontEnd implements FrontEnd {
  readonly guard = new NodeGuard();
  readonly #options: NodeFrontEndOptions;
  readonly #handler: () => FrontEndHandler;
  readonly #server: Server;
  readonly #http1: Http1Connections;
  readonly #http2: Http2Connections | undefined;
  readonly #secure: ReturnType<typeof secureServer> | undefined;
  readonly #places: Places;
  readonly #sockets = new Map<Duplex, ClientConnection>();
  #turnedAway = 0;

  /** @throws EdgeError `bad_config` for a certificate that can't be used */
  constructor(handler: () => FrontEndHandler, options: NodeFrontEndOptions) {
    const { tls, http2 = false, bounds, limits } = options;
    this.#handler = handler;
    this.#options = options;
    this.#places = new Places(bounds);
    this.#http1 = new Http1Connections(handler, this.guard, limits);
    this.#http2 = tls !== undefined && http2 ? new Http2Connections(handler, limits) : undefined;
    this.#secure = tls && secureServer(tls, http2, limits.head, (secure, raw) => this.#speak(secure, raw));
    // Half-closed connections are answered whole.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
  }

  async listen(host: string, port: number): Promise<number> {
    const { addon, descriptor } = this.#options;
    try {
      const fd = descriptor ?? addon.openListener((await lookup(host)).address, port);
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject).listen({ fd }, resolve);
      });
    } catch (error) {
      const reason = descriptor === undefined ? await whyNotListening(host, port) : (error as Error).message;
      throw new EdgeError('bad_config', `can't listen on ${host} port ${port}: ${reason}`);
    }
    this.#server.on('error', () => {});
    if (this.#handler().upgrades) this.#http1.takeUpgrades();
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? (address.port ?? port) : port;
  }

  /** Clients without one don't get so far. */
  hasCertificate(): boolean {
    return true;
  }

  closeListener(): void {
    this.#server.close();
    this.#http2?.drain();
  }

  close(): void {
    this.#server.close();
    this.#http1.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    const { addon, clients, proxyProtocol = false } = this.#options;
    const peer = plainAddress(socket.remoteAddress ?? '') ?? '';
    const isTrusted = clients.trusts(peer);
    // Proxies have as many as there are places, since many clients share them.
    const isShared = isTrusted && !(isLoopback(peer) && this.#options.bounds.loopback);
    const hasPlace = this.#places.take(socket);
    const account = hasPlace ? (isShared ? new Account() : this.#places.give(socket, peer)) : undefined;
    if (account === undefined) {
      this.#handler().refused(503, peer);
      this.#turnAway(socket);
      return;
    }
    this.#handler().connections(1);
    this.#sockets.set(socket, { address: peer, isShared, account });
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#handler().connections(-1);
    });
    const { fd } = (socket as unknown as { _handle?: { fd?: number } })._handle ?? {};
    // The kernel takes a piece whole where a part of it fits, so that it would have more than the bound.
    const unsent = Math.floor(this.#options.bounds.unsentBytes * 0.75);
    if (fd !== undefined && fd >= 0 && peer !== '') addon.limitUnsent(fd, unsent);
    if (!proxyProtocol || !isTrusted) this.#begin(socket);
    else
      readProxyHeader(socket, address => {
        if (address === 'wrong') {
          this.#handler().refused(400, peer);
          socket.destroy();
          return;
        }
        if (address !== undefined) {
          const named = this.#places.give(socket, address);
          if (named === undefined) {
            this.#handler().refused(503, address);
            this.#turnAway(socket);
            return;
          }
          this.#sockets.set(socket, { address, isShared: false, account: named });
        }
        this.#begin(socket);
      });
  }

  /** There is no place for a connection. */
  #turnAway(socket: Socket): void {
    const most = Math.min(TURNED_AWAY_MAX, this.#options.bounds.connections * TURNED_AWAY_SHARE);
    if (this.#secure !== undefined || this.#turnedAway >= most) {
      socket.destroy();
      return;
    }
    this.#turnedAway++;
    socket.once('close', () => this.#turnedAway--);
    socket.resume();
    refuse(socket, 503);
  }

  #begin(socket: Socket): void {
    if (this.#secure !== undefined) this.#secure.emit('connection', socket);
    else {
      this.#http1.add(socket, this.#sockets.get(socket)!);
      // The header's reader has paused it.
      if (socket.isPaused()) socket.resume();
    }
  }

  #speak(socket: TLSSocket, raw: Duplex | undefined): void {
    const connection = this.#sockets.get(raw ?? socket);
    socket.on('error', () => {});
    // It has gone meanwhile.
    if (connection === undefined) socket.destroy();
    else if (socket.alpnProtocol === 'h2' && this.#http2 !== undefined)
      this.#http2.add(socket, connection, raw ?? socket);
    else this.#http1.add(socket, connection);
  }
}
