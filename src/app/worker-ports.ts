import { native } from '../base/native.js';
import { engineOf, type ListenSettings } from '../config/listen-schema.js';
import { tlsFiles } from '../config/places.js';
import type { Config } from '../config/schema.js';
import { ClientAddresses } from '../http/client-address.js';
import type { PortBounds } from '../http/gate.js';
import type { NodeFrontEnd } from '../http/node/node-front-end.js';
import type { HttpServer, ListenOptions } from '../http/server.js';
import { quiesceListener } from '../supervisor/listener.js';
import { countListeners } from '../supervisor/sockets.js';

/** What the ports of a worker are made with. */
export interface WorkerPortsOptions {
  readonly config: Config;
  /** Bounds of all connections of this process. */
  readonly bounds: PortBounds;
  /** Workers of this generation, which drain together. */
  readonly siblings: number;
  /** Sockets that the supervisor listens at, one for each listener with a Unix socket. */
  readonly unixSockets: readonly number[];
  /** The front end on Node, where a listener needs it. */
  readonly Engine: typeof NodeFrontEnd | undefined;
}

/** All addresses at which a worker is asked for files. */
export class WorkerPorts {
  readonly #options: WorkerPortsOptions;

  constructor(options: WorkerPortsOptions) {
    this.#options = options;
  }

  /** Bounds of each port: the places are shared among them. */
  get bounds(): PortBounds {
    const { bounds, config } = this.#options;
    return { ...bounds, connections: Math.max(1, Math.floor(bounds.connections / config.listen.length)) };
  }

  /** @throws EdgeError (rejects with) `bad_config` */
  async listen(server: HttpServer): Promise<void> {
    const unixSockets = [...this.#options.unixSockets];
    for (const listener of this.#options.config.listen) {
      const descriptor = listener.unix === undefined ? undefined : unixSockets.shift();
      await server.listen(listener.host, listener.port, this.#how(listener, descriptor));
    }
  }

  /** Turns away connections that would be lost when the listening sockets are closed. */
  async quiesce(): Promise<void> {
    const closing = [...this.#ports].map(([port, hosts]) =>
      quiesceListener(port, this.#options.siblings, native, hosts),
    );
    await Promise.all(closing);
  }

  /** Whether others listen at the same ports, who take new connections when this worker drains. */
  get areShared(): boolean {
    const { siblings } = this.#options;
    return [...this.#ports].some(([port, hosts]) => countListeners(port, hosts) > siblings * hosts.length);
  }

  /** The addresses of each port that are listened at. */
  get #ports(): ReadonlyMap<number, readonly string[]> {
    const ports = new Map<number, string[]>();
    for (const { unix, host, port } of this.#options.config.listen)
      if (unix === undefined) ports.set(port, [...(ports.get(port) ?? []), host]);
    return ports;
  }

  #how(listener: ListenSettings, descriptor: number | undefined): ListenOptions {
    const { config, Engine } = this.#options;
    const { trusted, redirect, http2, proxyProtocol } = listener;
    const tls = tlsFiles(listener);
    const clients = new ClientAddresses(trusted.length > 0 ? trusted : config.trusted);
    if (engineOf(listener) === 'uws' || Engine === undefined) return { tls, clients, redirect };
    return {
      tls,
      clients,
      redirect,
      engine: handler => {
        const { limits } = config;
        const options = { addon: native, bounds: this.bounds, limits, tls, http2, proxyProtocol, clients, descriptor };
        const frontEnd = new Engine(handler, options);
        return { frontEnd, guard: frontEnd.guard };
      },
    };
  }
}
