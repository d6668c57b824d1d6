import { join } from 'node:path';
import type { ClusterAdmin } from '../../admin/cluster-routes.js';
import type { PurgeRequest, PurgeResult } from '../../admin/purge-request.js';
import { EdgeError } from '../../base/errors.js';
import type { ClusterState } from '../../cluster/cluster-state.js';
import type { ClaimEvents, Claims } from '../../cluster/control/claims.js';
import { ClusterControl, type ControlOptions } from '../../cluster/control/cluster-control.js';
import { partitionOf } from '../../cluster/map/partition-of.js';
import { textChecksum } from '../../cluster/map/text-checksum.js';
import { catalogFolders } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import { requireFreePort } from '../../supervisor/port.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import { describeCluster } from './cluster-metrics.js';
import type { EdgeEvents } from './edge-events.js';
import { etcdOptions } from './etcd-options.js';
import type { StreamPeers } from './live-peers.js';
import type { PurgeService } from './purge-service.js';
import { purgeTexts, readPurge } from './purge-texts.js';
import { refuseChange } from './refuse-change.js';

/** Milliseconds for which a node must be there without a break before it counts. */
const SETTLE = 5000;
/** Names of files beside the catalog: the copy of the map, and up to where purges have been carried out. */
const COPY = 'cluster.map';
const PURGED = 'cluster.purged';
/** Milliseconds that a start waits for etcd, to learn what was purged meanwhile. */
const PATIENCE = 2000;

type ClusterSettings = NonNullable<Config['cluster']>;

/** This edge's part in a cluster: seen to once for all workers, which are told the state. */
export class ClusterService implements Service<Config>, ClusterAdmin {
  readonly name = 'cluster';
  readonly #started: ClusterSettings;
  readonly #control: ClusterControl;
  readonly #version: string;
  /** Workers listen already when this starts. */
  readonly #takesOver: boolean;
  /** Told when other edges have other live streams, and when one of this edge is another's. */
  streams: ClaimEvents = { changed() {}, lost() {} };

  /**
   * @param secret of the memory tier
   * @param purges carries purges of the cluster out
   * @throws EdgeError `bad_config` when a file of the configuration can't be read
   */
  constructor(
    { config, log, metrics, version, takeOver, tell, alive }: ServiceContext<Config, EdgeEvents>,
    secret: string,
    purges: PurgeService,
  ) {
    const settings = config.cluster!;
    this.#started = settings;
    this.#version = version;
    this.#takesOver = takeOver;
    const { partitions, replicas, holdDown, etcd } = settings;
    this.#control = new ClusterControl({
      ...changeable(settings, version),
      etcd: { ...etcdOptions(etcd, 'cluster.etcd'), prefix: etcd.prefix },
      partitions,
      replicas,
      holdDown,
      settle: SETTLE,
      file: join(catalogFolders(config, secret).folder, COPY),
      purge: async text => purges.purge(readPurge(text)),
      purgeAll: () => purges.purge({ scope: { kind: 'all' }, soft: false }),
      purgeMark: join(catalogFolders(config, secret).folder, PURGED),
      log,
      alive,
      claims: { changed: () => this.streams.changed(), lost: (name, holder) => this.streams.lost(name, holder) },
      publish: state => {
        tell('clusterState', state);
        this.streams.changed();
      },
    });
    describeCluster(metrics, this.#control);
    // Before the first worker starts, also beside an older edge that has not handed over yet.
    this.#control.restore();
  }

  /** @throws EdgeError (rejects with) `port` when another program has the port for peers */
  async start(): Promise<void> {
    const { host, port } = this.#started.listen;
    if (!this.#takesOver) await requireFreePort(host, port);
    return this.#control.start(PATIENCE);
  }

  /**
   * Purges on all nodes.
   * @returns what it came to on this one
   * @throws EdgeError (rejects with) as `PurgeService`; `overloaded` when etcd does not answer
   */
  async purge(request: PurgeRequest): Promise<PurgeResult> {
    const results = (await this.#control.purge(purgeTexts(request))) as PurgeResult[];
    return {
      objects: results.reduce((sum, { objects }) => sum + objects, 0),
      more: results.some(({ more }) => more),
    };
  }

  accepts({ cluster }: Config): void {
    if (cluster === undefined || fixed(cluster) !== fixed(this.#started)) {
      refuseChange('cluster (but node.weight, node.url and ramp)');
    }
  }

  reconfigure({ cluster }: Config): void {
    this.#control.configure(changeable(cluster!, this.#version));
  }

  leave(): void {
    this.#control.leave();
  }

  stats(): object {
    const { epoch, nodes } = this.#control.state;
    return { epoch, nodes: nodes.length, member: this.#control.isMember, etcd: this.#control.etcd };
  }

  async stop(): Promise<void> {
    await this.#control.stop();
  }

  /** Names of live streams of which each is one edge's. */
  get claims(): Claims {
    return this.#control.claims;
  }

  /** The other edges that are there, and which of them have which live streams. */
  get streamPeers(): StreamPeers {
    const { self, nodes } = this.#control.state;
    const others = nodes.filter(({ id, host, state }) => id !== self && host !== '' && state !== 'away');
    const peers = new Map(others.map(({ id, host, port }) => [id, { host, port }]));
    return { peers, holders: new Map([...this.#control.claims.holders].filter(([, id]) => peers.has(id))) };
  }

  get draining(): boolean {
    return this.#control.isDraining;
  }

  status() {
    const { state, leader, frozen, rival, isMember, etcd } = this.#control;
    const owned = (index: number, level: number) => state.map.filter(list => list[level] === index).length;
    return {
      self: state.self,
      epoch: state.epoch,
      checksum: checksumOf(state),
      member: isMember,
      draining: this.#control.isDraining,
      leader,
      frozen,
      rival: rival && { host: rival.host, port: rival.port },
      etcd,
      partitions: state.map.length,
      nodes: state.nodes.map((node, index) => ({
        ...node,
        owns: owned(index, 0),
        replicates: state.map.filter(list => list.indexOf(index) > 0).length,
        heirs: heirsOf(state, index),
      })),
    };
  }

  locate(path: string) {
    const { state } = this.#control;
    const partition = partitionOf(path, state.map.length);
    const [owner, ...replicas] = state.map[partition]!.flatMap(index => state.nodes[index] ?? []).filter(
      ({ state }) => state === 'up',
    );
    if (owner === undefined) {
      throw new EdgeError('overloaded', 'no node that has the film is up: ask again', { retryAfter: 1 });
    }
    return {
      path,
      partition,
      owner: owner.id,
      replicas: replicas.map(({ id }) => id),
      url: owner.url === undefined ? null : owner.url.replace(/\/$/, '') + path,
    };
  }

  /** Percent of its share that this node takes, for HAProxy; undefined while it drains. */
  get share(): number | undefined {
    if (this.#control.isDraining) return undefined;
    const { self, nodes } = this.#control.state;
    return Math.round((nodes.find(({ id }) => id === self)?.share ?? 1) * 100);
  }

  drain(id: string): Promise<void> {
    return this.#control.operator.drain(id);
  }

  undrain(id: string): Promise<void> {
    return this.#control.operator.undrain(id);
  }

  plan() {
    return this.#control.operator.plan();
  }

  applyPlan() {
    return this.#control.operator.applyPlan();
  }
}

/** Of the map in force, by which people see that edges have the same. */
function checksumOf({ map, nodes }: ClusterState): string {
  return textChecksum(JSON.stringify(map.map(list => list.map(index => nodes[index]?.id))));
}

/** Who serves the partitions of a node while it is away, and how many each. */
function heirsOf({ map, nodes }: ClusterState, index: number): Record<string, number> {
  const heirs: Record<string, number> = {};
  for (const [owner, ...replicas] of map) {
    if (owner !== index) continue;
    const heir = replicas.map(each => nodes[each]).find(node => node?.state === 'up');
    if (heir !== undefined) heirs[heir.id] = (heirs[heir.id] ?? 0) + 1;
  }
  return heirs;
}

/** What a reload may change. */
function changeable({ node, listen, ramp }: ClusterSettings, version: string): Pick<ControlOptions, 'self' | 'ramp'> {
  return { self: { ...node, url: node.url, ...listen, version }, ramp };
}

/** The rest, to be compared. */
function fixed({ node, ramp: _, ...rest }: ClusterSettings): string {
  return JSON.stringify([node.id, node.zone, rest]);
}
