import { readFileSync } from 'node:fs';
import type { Log } from '../base/log.js';
import { native } from '../base/native.js';
import type { PassingContext } from '../catalog/lookup.js';
import type { Router } from '../catalog/route.js';
import { EdgeCluster, PEER_CONNECTIONS } from '../cluster/routing/edge-cluster.js';
import type { Config } from '../config/schema.js';
import type { RequestRouting } from '../http/request-routing.js';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../http/server.js';
import type { Metrics } from '../observe/metrics.js';
import { quiesceListener } from '../supervisor/listener.js';
import type { WorkerLink } from '../supervisor/worker-link.js';
import type { EdgeEvents } from './services/edge-events.js';

/** What a worker gives for its part in the cluster. */
export interface WorkerClusterOptions {
  readonly config: Config;
  /** Folder beside the memory tier, for files that the workers of this edge share. */
  readonly folder: string;
  readonly link: Pick<WorkerLink<EdgeEvents>, 'on' | 'workers' | 'log'>;
  /** Bytes of the memory tier. */
  readonly capacity: number;
  /** Bytes that this worker has sent to players. */
  readonly sent: () => number;
}

/** A worker's part in a cluster, wired: the port for peers beside that for players. Loaded only where there is one. */
export class WorkerCluster {
  /** Descriptors that films by way of this edge may take. */
  readonly connections = PEER_CONNECTIONS;
  readonly #config: Config;
  readonly #log: Log;
  readonly #workers: number;
  /** Names of the files with which peers are spoken to by TLS. */
  readonly #tls: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  readonly #cluster: EdgeCluster;
  #routing: ReturnType<EdgeCluster['routing']> | undefined;
  #server: HttpServer | undefined;

  /** @throws Error of the file system */
  constructor({ config, folder, link, capacity, sent }: WorkerClusterOptions) {
    const { node, secret, listen, routing, warmUp, overload } = config.cluster!;
    const { ca, cert, key } = listen.tls;
    const files = ca === undefined || cert === undefined || key === undefined ? undefined : { ca, cert, key };
    this.#tls = files;
    this.#config = config;
    this.#log = link.log;
    this.#workers = link.workers;
    this.#cluster = new EdgeCluster({
      self: node.id,
      secret,
      tls: files && {
        ca: readFileSync(files.ca, 'utf8'),
        cert: readFileSync(files.cert, 'utf8'),
        key: readFileSync(files.key, 'utf8'),
      },
      routing,
      warmUp,
      overload,
      folder,
      workers: link.workers,
      capacity,
      sent: () => sent() + (this.#server?.stats.responseBytes ?? 0),
      log: link.log,
    });
    link.on('clusterState', state => this.#cluster.update(state));
  }

  /** Bytes of objects come from the peers that should have them, before the storage. */
  filling(route: Router): Router {
    return this.#cluster.filling(route);
  }

  /**
   * Makes the port for peers.
   * @param http what the port for players is made with
   * @returns who answers what comes to that
   */
  serve(http: HttpServerOptions, passing: PassingContext): RequestRouting {
    const {
      content,
      planner,
      packager,
      views,
      cors,
      range,
      maxUrlLength,
      dropQuery,
      access,
      routes,
      pacing,
      stallTimeout,
      serverName,
      log,
      live,
    } = http;
    const { host, port } = this.#config.cluster!.listen;
    this.#server = createHttpServer({
      ...{ content, planner, packager, views, cors, range, maxUrlLength, dropQuery, access, stallTimeout },
      ...(routes && { routes }),
      ...(pacing && { pacing }),
      ...(serverName !== undefined && { serverName }),
      ...(log && { log }),
      ...(live && { live }),
      peers: this.#cluster.gate,
      beforeClose: () => quiesceListener(port, this.#workers, native, [host]),
    });
    this.#routing = this.#cluster.routing(passing);
    return this.#routing;
  }

  /** @throws EdgeError (rejects with) `bad_config` */
  async listen(): Promise<void> {
    const { host, port } = this.#config.cluster!.listen;
    await this.#server!.listen(host, port, { tls: this.#tls });
  }

  /** Lets what peers are being answered come to its end. */
  async drain(grace: number): Promise<void> {
    const whole = await this.#server!.drain({ grace });
    if (!whole) this.#log.warn({ grace }, 'answers to peers were cut, because they outlasted the time to drain');
    this.cut();
  }

  /** Cuts what peers are being answered. */
  cut(): void {
    this.#server!.close();
  }

  /** To be called when nothing is being answered any more. */
  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** Counters, for people. */
  stats(): object {
    const peers = [...this.#cluster.peers.all].map(({ id, health, stats, replica }) => [
      id,
      { isWell: health.isWell, ...stats, receivedBytes: replica.received },
    ]);
    return { ...this.#routing!.stats, peers: Object.fromEntries(peers), refused: this.#cluster.gate.refused };
  }

  /** What operators watch. */
  describe(metrics: Metrics): void {
    const { peers, gate } = this.#cluster;
    metrics.counter('moovedge_peer_requests_total', () =>
      [...peers.all].flatMap(({ id: peer, stats }) =>
        Object.entries(stats.requests).map(([outcome, count]) => [{ peer, outcome }, count] as const),
      ),
    );
    metrics.counter('moovedge_peer_response_bytes_total', () =>
      [...peers.all].flatMap(({ id: peer, stats, replica }) => [
        [{ peer, direction: 'sent' }, stats.sentBytes] as const,
        [{ peer, direction: 'received' }, replica.received] as const,
      ]),
    );
    metrics.counter('moovedge_peer_refused_total', () =>
      Object.entries(gate.refused).map(([reason, count]) => [{ reason }, count] as const),
    );
    metrics.counter('moovedge_cluster_warmup_requests_total', () => this.#routing!.stats.warmUps);
    metrics.counter('moovedge_cluster_overflow_total', () => this.#routing!.stats.overflows);
  }
}
