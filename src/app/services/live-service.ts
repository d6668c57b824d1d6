import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { catalogFolders } from '../../config/places.js';
import type { Config } from '../../config/schema.js';
import { LEVELS } from '../../live/delivery/link-fields.js';
import { pulledFolder, ringsIn } from '../../live/publish/ring-files.js';
import { LinkTable } from '../../live/relay/link-table.js';
import type { StreamPlace } from '../../live/ring/stream-place.js';
import type { Service, ServiceContext } from '../../supervisor/service.js';
import type { EdgeEvents } from './edge-events.js';
import type { IngestProcess } from './ingest-process.js';
import { liveCluster, NO_PEERS, type StreamNames } from './live-peers.js';
import { LiveTotals } from './live-totals.js';

/** Folder of the rings, within the folder of what is recent. */
const FOLDER = 'live';

/** Milliseconds within which changes of who has which stream are told at once. */
const TOGETHER = 20;

/** Live streams: the process that takes them from publishers, and what workers are told of them. */
export class LiveService implements Service<Config> {
  readonly name = 'live';
  readonly #context: ServiceContext<Config, EdgeEvents>;
  readonly #folder: string;
  readonly #totals = new LiveTotals();
  readonly #self = `moovedge-${randomUUID()}`;
  readonly #cluster: StreamNames | undefined;
  /** Other edges that have streams from this one. */
  readonly #links = new LinkTable(() => this.#config.live.links);
  /** Streams as workers have been told of them, by their names. */
  #streams: ReadonlyMap<string, StreamPlace & { readonly level: number }> = new Map();
  #peers: NodeJS.Timeout | undefined;
  #config: Config;
  #ingest: IngestProcess | undefined;
  #isStarted = false;
  #isLeaving = false;

  /**
   * @param secret of the memory tier
   * @param cluster where streams have names that are this edge's alone
   */
  constructor(context: ServiceContext<Config, EdgeEvents>, secret: string, cluster?: StreamNames) {
    this.#cluster = cluster;
    this.#context = context;
    this.#config = context.config;
    this.#folder = join(catalogFolders(context.config, secret).recent, FOLDER);
    this.#totals.describe(context.metrics);
    context.events.on('liveAudiences', (process, audiences) => this.#totals.watched(process, audiences));
    // Beside an older edge, whose streams these are until it hands over, workers serve those who watch from the start.
    if (isLive(context.config)) {
      const own = ringsIn(this.#folder).map(place => ({ ...place, level: 0 }));
      this.#tell([...own, ...ringsIn(pulledFolder(this.#folder))]);
    }
    context.events.on('liveWanted', streams => this.#ingest?.want(streams));
    if (cluster === undefined) return;
    cluster.streams = { changed: () => this.#tellPeers(), lost: name => this.#ingest?.lose(name) };
    this.#serveLinks(context);
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    const settings = this.#config.live;
    if (!isLive(this.#config)) {
      for (const folder of [this.#folder, pulledFolder(this.#folder)]) rmSync(folder, { recursive: true, force: true });
      return;
    }
    // An edge without live streams loads nothing of it.
    const { IngestProcess } = await import('./ingest-process.js');
    this.#ingest = new IngestProcess({
      settings,
      folder: this.#folder,
      self: this.#self,
      cluster: liveCluster(this.#config),
      log: this.#context.log,
      streams: streams => this.#tell(streams),
      peers: () => this.#cluster?.streamPeers ?? NO_PEERS,
      names: this.#cluster?.claims,
      missing: name => this.#context.tell('liveMissing', name),
      stats: stats => this.#totals.update(stats),
      died: () => this.#totals.restart(),
    });
    await this.#ingest.start();
  }

  async reconfigure(config: Config): Promise<void> {
    this.#config = config;
    const settings = config.live;
    if (!this.#isStarted) return;
    if (!isLive(config)) {
      await this.#ingest?.stop('end');
      this.#ingest = undefined;
      this.#totals.restart();
      this.#tell([]);
    } else if (this.#ingest === undefined) await this.start();
    else this.#ingest.configure(settings);
  }

  leave(): void {
    this.#isLeaving = true;
    this.#ingest?.requestReconnects();
  }

  stats(): LiveTotals['streams'] | undefined {
    return this.#ingest && this.#totals.streams;
  }

  async stop(): Promise<void> {
    // An edge that hands over has not been told to leave: the streams go on in the next one.
    await this.#ingest?.stop(this.#isLeaving ? 'end' : 'leave');
  }

  /** Edges of the cluster get streams from this one by the table. */
  #serveLinks({ events, metrics, tell }: ServiceContext<Config, EdgeEvents>): void {
    events.on('liveLinkAsked', link => {
      const level = this.#streams.get(link.stream)?.level ?? LEVELS;
      tell('liveLinkAnswered', link.key, this.#links.ask(link, level) ?? null);
    });
    events.on('liveLinkLeft', link => this.#links.leave(link));
    events.on('liveAudiences', (_process, audiences) => {
      for (const [name, { peers }] of Object.entries(audiences)) if (peers.length > 0) this.#links.keep(name, peers);
    });
    metrics.gauge('moovedge_live_links', () => this.#links.size);
    metrics.counter('moovedge_live_link_requests_total', () =>
      Object.entries(this.#links.outcomes).map(([outcome, count]) => [{ outcome }, count] as const),
    );
  }

  #tellPeers(): void {
    this.#peers ??= setTimeout(() => {
      this.#peers = undefined;
      this.#ingest?.tellPeers();
    }, TOGETHER).unref();
  }

  /** A stream whose level is not known any more, after a death, stays where it was; before that it serves players. */
  #tell(places: readonly StreamPlace[]): void {
    const levelOf = ({ name, id }: StreamPlace) => {
      const before = this.#streams.get(name);
      return before?.id === id ? before.level : LEVELS;
    };
    const streams = places.map(place => ({ ...place, level: place.level ?? levelOf(place) }));
    this.#streams = new Map(streams.map(stream => [stream.name, stream]));
    this.#context.tell('liveStreams', { streams, self: this.#self });
  }
}

/** Whether an edge has live streams. */
export function isLive({ live }: Config): boolean {
  return live.rtmp !== undefined || live.pull.length > 0;
}
