/**
 * Edges of a cluster inside the process, on loopback: real sockets, a memory tier each, a state that the test makes.
 *
 *   const cluster = await TestCluster.start(3, origin.url);      // one storage, edges edge-1 … edge-3
 *   cluster.owner('/film.mp4'), cluster.others('/film.mp4')
 *   await cluster.edges[0]!.get('/film.mp4', { Range: 'bytes=0-99' })
 *   cluster.tell({ previousOwners })                             // another state, by another epoch
 *   cluster.edges[1]!.kill()                                     // its sockets are gone
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { type Log, silentLog } from '../../src/base/log.js';
import { native } from '../../src/base/native.js';
import { BlockLoader } from '../../src/cache/fetch/block-loader.js';
import type { MemoryTier } from '../../src/cache/memory/memory-tier.js';
import { ObjectCatalog } from '../../src/catalog/object-catalog.js';
import { objectKey } from '../../src/catalog/object-identity.js';
import type { ClusterNode, ClusterState } from '../../src/cluster/cluster-state.js';
import { partitionOf } from '../../src/cluster/map/partition-of.js';
import type { ClusterRouting } from '../../src/cluster/routing/cluster-routing.js';
import { EdgeCluster, type EdgeClusterOptions } from '../../src/cluster/routing/edge-cluster.js';
import { defaultConfig } from '../../src/config/schema.js';
import { ClientAddresses } from '../../src/http/client-address.js';
import { Gate } from '../../src/http/gate.js';
import type { PeerPort } from '../../src/http/peer-port.js';
import { createHttpServer, type HttpServer, type ListenOptions } from '../../src/http/server.js';
import { ProgressiveMp4 } from '../../src/media/mp4/progressive.js';
import { Planner } from '../../src/media/seek/planner.js';
import { SeekViews } from '../../src/view/seek/seek-views.js';
import { Views } from '../../src/view/views.js';
import { DEFAULTS } from './defaults.js';
import { plainPackager } from './fake-content.js';
import { type Engine, listening } from './http-edge.js';
import { httpOrigin } from './http-origin.js';
import { MemoryCatalogStore } from './memory-catalog-store.js';
import { fetchRaw } from './raw-http.js';
import { SlabTier } from './slab-tier.js';

/** Times that are short enough for a test, and long enough for a machine that is busy. */
const QUICK = {
  timeouts: { connect: 3000, firstByte: 400, stall: 400, probe: 2000 },
  times: { look: 200, rest: 200, maxRest: 800 },
};

/** What an edge of a test is made with. */
export interface TestEdgeOptions extends Partial<EdgeClusterOptions> {
  readonly log?: Log;
  /** Blocks of its memory tier. */
  readonly blocks?: number;
  /** Its memory tier, where that is the product's own. */
  readonly tier?: MemoryTier;
  /** Names of PEM files with which edges know one another. */
  readonly peerTls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** What answers its players; uWebSockets.js when left out. */
  readonly engine?: Engine;
  /** Proxies that it believes whose requests they pass on. */
  readonly trusted?: readonly string[];
  /** What it sends counts as so much more; 0, which is nothing, when left out. */
  readonly sentScale?: number;
  /** A negative control: requests of peers go on to other edges like those of players. */
  readonly passesOn?: boolean;
  /** Another: fills are fetched for peers whoever owns the film. */
  readonly fillsAnything?: boolean;
}

/** One edge. */
export class TestEdge {
  readonly id: string;
  readonly cluster: EdgeCluster;
  readonly routing: ClusterRouting;
  readonly catalog: ObjectCatalog;
  readonly loader: BlockLoader;
  readonly #tls: TestEdgeOptions['peerTls'];
  readonly #how: ListenOptions;
  readonly #players: HttpServer;
  readonly #peers: HttpServer;
  readonly #origin;
  port = 0;
  peerPort = 0;

  constructor(id: string, storage: string, folder: string, options: TestEdgeOptions) {
    this.id = id;
    const tier = options.tier ?? new SlabTier({ blocks: options.blocks ?? 64 });
    const store = new MemoryCatalogStore();
    this.loader = new BlockLoader({ ...DEFAULTS.blockLoader, tier });
    this.#origin = httpOrigin([storage], { name: 'storage', node: id });
    const log = options.log ?? silentLog;
    const { peerTls } = options;
    this.#tls = peerTls;
    this.#how = listening(options.engine ?? 'uws', { clients: new ClientAddresses(options.trusted ?? []) });
    const read = (name: 'ca' | 'cert' | 'key') => readFileSync(peerTls![name], 'utf8');
    const pem = peerTls && { ca: read('ca'), cert: read('cert'), key: read('key') };
    this.cluster = new EdgeCluster({
      self: id,
      secret: 'a secret of the cluster',
      routing: 'proxy',
      warmUp: { share: [], from: 'owner' },
      overload: 1.25,
      folder: join(folder, id),
      workers: 1,
      capacity: 64 * 1024 * 1024,
      sent: () => this.sent * (options.sentScale ?? 0),
      tls: pem,
      ...QUICK,
      ...options,
      log,
    });
    const { freshness, setCookie } = DEFAULTS.catalog;
    const passing = { loader: this.loader, freshness, setCookie, now: Date.now };
    this.routing = this.cluster.routing(passing);
    const route = (_host: string, path: string, query: string) => ({
      origin: this.#origin,
      path,
      query,
      key: objectKey(this.#origin.name, path, query),
      forward: ['cdn-loop'],
    });
    this.catalog = new ObjectCatalog({
      ...DEFAULTS.catalog,
      loader: this.loader,
      tier,
      store,
      route: this.cluster.filling(route),
    });
    const planner = new Planner({ ...DEFAULTS.planner, formats: [new ProgressiveMp4(defaultConfig().media.mp4)] });
    const http = {
      ...DEFAULTS.http,
      content: this.catalog,
      planner,
      packager: plainPackager,
      views: new Views([new SeekViews('off')]),
      stallTimeout: 30_000,
      log,
    };
    this.#players = createHttpServer({ ...http, routing: this.routing, gate: Gate.open(native) });
    this.#peers = createHttpServer({
      ...http,
      peers: options.fillsAnything ? fillingAnything(this.cluster.gate) : this.cluster.gate,
      ...(options.passesOn && { routing: this.routing }),
    });
  }

  /** Bytes that it has sent to players and peers. */
  get sent(): number {
    return this.#players.stats.responseBytes + this.#peers.stats.responseBytes;
  }

  /** Answers under way, to players and peers. */
  get openResponses(): number {
    return this.#players.stats.openResponses + this.#peers.stats.openResponses;
  }

  async listen(): Promise<void> {
    this.port = await this.#players.listen('127.0.0.1', 0, this.#how);
    this.peerPort = await this.#peers.listen('127.0.0.1', 0, { tls: this.#tls });
  }

  get(path: string, fields: Record<string, string> = {}, method = 'GET') {
    return fetchRaw(this.port, method, path, fields);
  }

  /** Cuts every connection and listens no more: what a kill does to its peers. */
  kill(): void {
    this.#players.close();
    this.#peers.close();
  }

  async close(): Promise<void> {
    this.kill();
    this.loader.close();
    await this.cluster.close();
    await this.#origin.close();
  }
}

/** Edges with one storage. */
export class TestCluster {
  readonly edges: readonly TestEdge[];
  state: ClusterState;

  private constructor(edges: readonly TestEdge[]) {
    this.edges = edges;
    const nodes = edges.map(({ id, peerPort: port }): ClusterNode => {
      return { id, zone: 'z', weight: 1, host: '127.0.0.1', port, url: `http://${id}.test`, state: 'up', share: 1 };
    });
    const map = Array.from({ length: 64 }, (_, partition) => edges.map((_, at) => (partition + at) % edges.length));
    this.state = { epoch: 1, self: '', nodes, map, previousOwners: map.map(() => -1), otherZones: [] };
    this.tell({});
  }

  /** Starts edges, which end with the test's file. */
  static async start(
    count: number,
    storage: string,
    options: TestEdgeOptions | ((at: number) => TestEdgeOptions) = {},
  ): Promise<TestCluster> {
    const optionsOf = typeof options === 'function' ? options : () => options;
    const folder = mkdtempSync('/dev/shm/moovedge-cluster-');
    const edges = Array.from(
      { length: count },
      (_, at) => new TestEdge(`edge-${at + 1}`, storage, folder, optionsOf(at)),
    );
    for (const edge of edges) await edge.listen();
    after(async () => {
      for (const edge of edges) await edge.close();
      rmSync(folder, { recursive: true, force: true });
    });
    return new TestCluster(edges);
  }

  /** Gives all edges a state that differs so, of a later epoch. */
  tell(change: Partial<ClusterState>): void {
    this.state = { ...this.state, ...change, epoch: this.state.epoch + 1 };
    for (const edge of this.edges) edge.cluster.update({ ...this.state, self: edge.id });
  }

  /** A state with parts of some nodes changed. */
  tellNode(edge: TestEdge, change: Partial<ClusterNode>): void {
    this.tell({ nodes: this.state.nodes.map(node => (node.id === edge.id ? { ...node, ...change } : node)) });
  }

  partition(path: string): number {
    return partitionOf(path, this.state.map.length);
  }

  /** Owner and replicas of a film, in order. */
  serving(path: string): TestEdge[] {
    return this.state.map[this.partition(path)]!.map(at => this.edges[at]!);
  }
}

function fillingAnything(gate: EdgeCluster['gate']): PeerPort {
  return {
    admit: (method, target, field) => {
      const admitted = gate.admit(method, target, field);
      return 'refused' in admitted ? admitted : { ...admitted, cachedOnly: false };
    },
  };
}
