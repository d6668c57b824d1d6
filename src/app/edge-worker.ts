import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AccessRules, type MakeTokens } from '../access/access-rules.js';
import { native } from '../base/native.js';
import { DiskReader } from '../cache/disk/disk-reader.js';
import { BlockLoader } from '../cache/fetch/block-loader.js';
import { FOLLOW_TIMEOUT, SharedMemoryTier } from '../cache/memory/shared-memory-tier.js';
import { LmdbCatalogStore } from '../catalog/lmdb-catalog-store.js';
import { ObjectCatalog } from '../catalog/object-catalog.js';
import { engineOf } from '../config/listen-schema.js';
import { catalogFolders, memoryFile, notesDemand } from '../config/places.js';
import type { Config } from '../config/schema.js';
import { Gate } from '../http/gate.js';
import type { NodeFrontEnd } from '../http/node/node-front-end.js';
import { OwnRequests } from '../http/own-requests.js';
import { portBounds } from '../http/port-bounds.js';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../http/server.js';
import { isUpstream } from '../http/uws.js';
import { Flv } from '../media/flv/flv.js';
import { FragmentedMp4 } from '../media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../media/mp4/progressive.js';
import { Packager } from '../media/packaging/packager.js';
import { Planner } from '../media/seek/planner.js';
import { AccessLog } from '../observe/access-log.js';
import { HotList } from '../observe/hot-list.js';
import type { ProcessLog } from '../observe/log.js';
import { Metrics } from '../observe/metrics.js';
import type { OtlpTracing } from '../observe/otlp-tracing.js';
import { runWorker, type WorkerHandle, type WorkerLink } from '../supervisor/worker-link.js';
import { answerRoutes, pacingShare } from './answer-routes.js';
import { describeWorker } from './edge-metrics.js';
import { createOrigins, type Origins } from './origins/origins.js';
import type { EdgeEvents } from './services/edge-events.js';
import { viewsOf } from './services/edge-views.js';
import { isLive } from './services/live-service.js';
import type { WorkerCluster } from './worker-cluster.js';
import type { workerLive } from './worker-live.js';
import { WorkerPorts } from './worker-ports.js';
import { workerTracing } from './worker-tracing.js';

/**
 * Milliseconds that idle connections may stay open when a worker drains; the front end closes them by itself after 12
 * s.
 */
const IDLE_DRAIN = 13_000;

/** Most of the memory tier that one object may take that is fetched in one. */
const WHOLE_SHARE = 1 / 4;

/** Objects that a worker tells of as being asked for most. */
const HOT_OBJECTS = 100;

/** The part of `media.indexMemory` that packages may take beside it. */
const PACKAGE_SHARE = 1 / 2;

/** Parts that are loaded where the configuration has a use for them. */
interface Parts {
  /** The part in a cluster. */
  readonly Cluster: typeof WorkerCluster | undefined;
  /** The part in live streams. */
  readonly makeLive: typeof workerLive | undefined;
  /** The front end on Node, for listeners that need it. */
  readonly Engine: typeof NodeFrontEnd | undefined;
  /** What looks at tokens, for rules of access that want some. */
  readonly makeTokens: MakeTokens | undefined;
  readonly tracing: OtlpTracing | undefined;
}

/** Everything of the data path, wired. */
class Worker implements WorkerHandle {
  readonly #log: ProcessLog;
  readonly #metrics = new Metrics({ process: true });
  readonly #tier: SharedMemoryTier;
  readonly #disk: DiskReader | undefined;
  readonly #store: LmdbCatalogStore;
  readonly #origins: Origins;
  readonly #loader: BlockLoader;
  readonly #catalog: ObjectCatalog;
  readonly #planner: Planner;
  readonly #packager: Packager;
  readonly #accessLog: AccessLog | undefined;
  readonly #hottest = new HotList();
  readonly #tracing: OtlpTracing | undefined;
  readonly #server: HttpServer;
  readonly #cluster: WorkerCluster | undefined;
  readonly #live: object | undefined;
  readonly #ports: WorkerPorts;
  #drained: Promise<void> | undefined;

  constructor(config: Config, link: WorkerLink<EdgeEvents>, { Cluster, makeLive, Engine, makeTokens, tracing }: Parts) {
    const { log, index, workers, inherited, emit } = link;
    this.#log = log;
    this.#tracing = tracing;
    const { cache, catalog, media, http, origins, limits } = config;
    const metrics = this.#metrics;
    const stall = Math.max(FOLLOW_TIMEOUT, ...origins.map(({ timeouts }) => timeouts.stall));
    this.#tier = new SharedMemoryTier({
      file: memoryFile(config),
      descriptor: inherited[0],
      role: 'worker',
      fillShare: cache.memory.fillShare,
      followTimeout: stall,
      verify: cache.memory.verify,
      notesDemand: notesDemand(config),
      policy: cache.memory.policy,
      log,
    });
    this.#disk =
      cache.disk.path === undefined
        ? undefined
        : new DiskReader({
            folder: cache.disk.path,
            capacity: cache.disk.size,
            log,
            onDamage: (id, block) => emit('damagedBlock', Array.from(id), block),
            observe: metrics.histogram('moovedge_disk_read_seconds'),
          });
    const folders = catalogFolders(config, this.#tier.secret);
    this.#store = new LmdbCatalogStore({
      ...folders,
      capacity: catalog.size,
      owner: false,
      log,
    });
    // An edge alone is known by its cache, which outlives processes.
    const own = `moovedge-${createHash('sha256').update(this.#tier.secret).digest('hex').slice(0, 16)}`;
    const name = config.cluster?.node.id ?? own;
    const observer = { ttfb: metrics.histogram('moovedge_origin_ttfb_seconds') };
    this.#origins = createOrigins(origins, { log, node: name, observer }, config.routes);
    this.#loader = new BlockLoader({
      tier: this.#tier,
      disk: this.#disk,
      readAhead: cache.readAhead,
      wholeMax: Math.min(cache.wholeMax, this.#tier.stats().capacityBytes * WHOLE_SHARE),
    });
    this.#cluster =
      Cluster &&
      new Cluster({
        config,
        folder: join(folders.recent, 'peers'),
        link,
        capacity: this.#tier.capacity,
        sent: () => this.#server.stats.responseBytes,
      });
    this.#catalog = new ObjectCatalog({
      loader: this.#loader,
      tier: this.#tier,
      store: this.#store,
      route: this.#cluster?.filling(this.#origins.route) ?? this.#origins.route,
      memory: catalog.memory,
      freshness: config.freshness,
      honourRequestDirectives: config.freshness.honourRequestDirectives,
      setCookie: config.freshness.setCookie,
    });
    this.#planner = new Planner({
      formats: [new ProgressiveMp4(media.mp4), new FragmentedMp4(), new Flv(media.flv)],
      indexMemory: media.indexMemory,
      indexTime: media.indexTime,
      store: this.#store.indexes,
      observe: metrics.histogram('moovedge_seek_plan_seconds'),
    });
    this.#packager = new Packager({
      planner: this.#planner,
      memory: media.indexMemory * PACKAGE_SHARE,
      indexTime: media.indexTime,
      store: this.#store.indexes,
    });
    const access = config.access.length === 0 ? undefined : new AccessRules(config.access, makeTokens);
    this.#accessLog =
      config.log.access === 'off'
        ? undefined
        : new AccessLog(config.log.access === 'stdout' ? { fd: 1 } : config.log.access, {
            format: config.log.accessFormat,
            sample: config.log.accessSample,
            secrets: access?.parameters,
          });
    link.on('accessLogRenamed', () => this.#accessLog?.reopen());
    const gate = Gate.open(native);
    if (isUpstream) log.info({ node: process.version }, 'the front end is upstream’s, as this Node.js needs');
    if (!gate.works)
      log.warn({}, 'the front end is not one that heads can be checked in front of, nor clients bounded');
    const maxConnections = origins.reduce((sum, origin) => sum + origin.maxConnections, 0);
    const outgoing = maxConnections + (this.#cluster?.connections ?? 0);
    const { bounds, wanted } = portBounds(native.descriptorLimit(), outgoing, limits);
    if (wanted > native.descriptorLimit()) {
      log.warn(
        { openFiles: native.descriptorLimit(), wanted, connections: bounds.connections },
        'few files may be open at once, so that accepting pauses at few connections; raise the limit (ulimit -n, LimitNOFILE)',
      );
    }
    const live = makeLive?.(config, link, metrics);
    this.#live = live?.stats;
    this.#ports = new WorkerPorts({ config, bounds, siblings: workers, unixSockets: inherited.slice(1), Engine });
    const ownRequests = new OwnRequests();
    link.on('ownKey', key => {
      ownRequests.key = key;
    });
    const players: HttpServerOptions = {
      gate,
      own: ownRequests,
      bounds: this.#ports.bounds,
      name: config.cluster === undefined ? name : undefined,
      content: this.#catalog,
      planner: this.#planner,
      packager: this.#packager,
      views: viewsOf(config, log, live?.hls?.kinds),
      cors: http.cors,
      range: http.range,
      maxUrlLength: http.maxUrlLength,
      dropQuery: http.dropQuery,
      access,
      routes: answerRoutes(config, workers),
      rates: limits,
      pacing: pacingShare(config.pacing, workers),
      stallTimeout: config.delivery.stallTimeout,
      log,
      observeTtfb: metrics.histogram('moovedge_http_ttfb_seconds'),
      ready: this.#tier,
      ...(this.#accessLog && {
        accessLog: (entry: Parameters<AccessLog['write']>[0]) => this.#accessLog?.write(entry),
      }),
      badEnd: ({ text, fields }) => emit('badEnd', { time: Date.now(), worker: index, text, fields: { ...fields } }),
      hottest: this.#hottest,
      tracing,
      beforeClose: () => this.#ports.quiesce(),
    };
    const { freshness } = config;
    const passing = { loader: this.#loader, freshness, setCookie: freshness.setCookie, now: Date.now };
    const routing = this.#cluster?.serve({ ...players, ...(live && { live }) }, passing);
    this.#server = createHttpServer({ ...players, ...(routing && { routing }), ...(live && { live }) });
    this.#cluster?.describe(metrics);
    describeWorker(metrics, {
      server: this.#server,
      loader: this.#loader,
      catalog: this.#catalog,
      origins: this.#origins,
      disk: this.#disk,
      accessLog: this.#accessLog,
    });
  }

  async listen(): Promise<void> {
    await this.#cluster?.listen();
    await this.#ports.listen(this.#server);
  }

  drain(deadline: number): Promise<void> {
    this.#drained ??= this.#drain(deadline);
    const cut = setTimeout(() => {
      this.#server.close();
      this.#cluster?.cut();
    }, deadline);
    return this.#drained.finally(() => clearTimeout(cut));
  }

  async #drain(deadline: number): Promise<void> {
    // A connection that is idle may be about to bear a request, which is answered as long as others take the next
    // connection.
    const idle = this.#ports.areShared ? IDLE_DRAIN : 0;
    const peers = this.#cluster?.drain(deadline);
    const whole = await this.#server.drain({ grace: deadline, idle });
    await peers;
    if (!whole) this.#log.warn({ deadline }, 'answers were cut, because they outlasted the time to drain');
    this.#server.close();
    this.#loader.close();
    await this.#cluster?.close();
    await this.#origins.close();
    this.#disk?.close();
    await this.#store.close();
    this.#tier.close();
    this.#accessLog?.close();
    await this.#tracing?.close();
  }

  metrics() {
    return this.#metrics.snapshot();
  }

  stats(): object {
    return {
      http: this.#server.stats,
      catalog: { ...this.#catalog.stats, entryBytes: this.#catalog.entryBytes },
      supply: this.#loader.stats,
      disk: this.#disk?.stats,
      planner: { ...this.#planner.stats, indexBytes: this.#planner.indexBytes },
      packager: { ...this.#packager.stats, bytes: this.#packager.bytes },
      origins: this.#origins.stats(),
      cluster: this.#cluster?.stats(),
      live: this.#live,
      hottest: this.#hottest.top(HOT_OBJECTS),
    };
  }

  reopenLogs(): void {
    this.#accessLog?.reopen();
  }
}

runWorker<Config, EdgeEvents>({
  async start(config, link) {
    // What is off is not loaded.
    const cluster = config.cluster === undefined ? undefined : await import('./worker-cluster.js');
    const live = isLive(config) ? await import('./worker-live.js') : undefined;
    const needsNode = config.listen.some(listener => engineOf(listener) === 'node');
    const node = needsNode ? await import('../http/node/node-front-end.js') : undefined;
    const tokens = config.access.some(({ jwt }) => jwt) ? await import('../access/json-web-token.js') : undefined;
    const worker = new Worker(config, link, {
      Cluster: cluster?.WorkerCluster,
      makeLive: live?.workerLive,
      Engine: node?.NodeFrontEnd,
      tracing: await workerTracing(config, `${hostname()}-${process.pid}`),
      makeTokens: tokens && (settings => new tokens.TokenAccess(settings)),
    });
    await worker.listen();
    return worker;
  },
});
